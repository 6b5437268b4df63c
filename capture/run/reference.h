// The words that scenarios are made of, for `ktstr-run --reference`.
#pragma once

#include <string>

namespace ktstr {

std::string ScenarioReference();

}  // namespace ktstr
