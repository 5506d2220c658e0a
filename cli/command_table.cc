#include "cli/commands/commands.h"

namespace dae::cli {

std::vector<Command> command_table() {
  return {
      create_command(),
      check_command(),
      install_command(),
      uninstall_command(),
      lock_command(),
      tree_command(),
      why_command(),
      outdated_command(),
      export_command(),
      audit_command(),
      doctor_command(),
      bundle_command(),
      merge_lock_command(),
      serve_command(),
      run_command(),
      test_command(),
      build_command(),
      publish_command(),
      deploy_command(),
      rollback_command(),
      abort_command(),
      resume_command(),
      status_command(),
      history_command(),
      logs_command(),
      local_up_command(),
      local_status_command(),
      local_down_command(),
      mirror_serve_command(),
      mirror_sync_command(),
      mirror_explain_command(),
      mirror_snapshot_command(),
      mirror_snapshots_command(),
      mirror_promote_command(),
      mirror_token_create_command(),
      mirror_token_list_command(),
      mirror_token_revoke_command(),
      control_serve_command(),
      agent_command(),
      node_list_command(),
      cache_info_command(),
      cache_clean_command(),
      cache_prune_command(),
      completion_command(),
  };
}

}  // namespace dae::cli
