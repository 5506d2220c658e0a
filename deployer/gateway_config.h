#pragma once
// The text of the gateway's configuration, made from the templates in share/nginx. Pure: nothing is written here.
#include <string>
#include <vector>

#include "deployer/gateway.h"

namespace dae::deployer {

// Apps sorted by name. The first one without hosts answers whatever name is asked for; each of them also answers to its
// own name and to <app>.localhost. Throws Error bad_input for a host, prefix or path that nginx could misread.
std::string nginx_config(const NginxOptions& options, const std::vector<GatewayApp>& apps, bool as_root);

}  // namespace dae::deployer
