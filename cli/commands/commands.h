#pragma once
// One function per command; the table in command_table.cc orders them. Each lives in the file of its name.
#include "cli/command_line.h"

namespace dae::cli {

Command create_command();
Command check_command();
Command install_command();
Command uninstall_command();
Command lock_command();
Command tree_command();
Command why_command();
Command outdated_command();
Command export_command();
Command audit_command();
Command doctor_command();
Command bundle_command();
Command merge_lock_command();
Command serve_command();
Command run_command();
Command test_command();
Command build_command();
Command publish_command();
Command deploy_command();
Command rollback_command();
Command abort_command();
Command resume_command();
Command status_command();
Command history_command();
Command logs_command();
Command mirror_serve_command();
Command mirror_sync_command();
Command mirror_explain_command();
Command mirror_allow_command();
Command mirror_audit_command();
Command mirror_verify_command();
Command mirror_gc_command();
Command mirror_status_command();
Command mirror_snapshot_command();
Command mirror_snapshots_command();
Command mirror_promote_command();
Command mirror_remove_command();
Command mirror_yank_command();
Command mirror_token_create_command();
Command mirror_token_list_command();
Command mirror_token_revoke_command();
Command control_serve_command();
Command agent_command();
Command node_list_command();
Command local_up_command();
Command local_down_command();
Command local_status_command();
Command cache_info_command();
Command cache_clean_command();
Command cache_prune_command();
Command completion_command();

}  // namespace dae::cli
