// Any bytes are a manifest whose files lie in its folder, or an error that says so.
#include <cstddef>
#include <cstdint>
#include <string>

#include "manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locator::internal;
    try {
        const Manifest manifest = parse_manifest({reinterpret_cast<const char*>(data), size});
        if (manifest.artefacts.empty()) __builtin_trap();
        for (const Artefact& artefact : manifest.artefacts)
            for (const auto& [role, name] : artefact.files)
                if (name.empty() || name[0] == '.' || name.find('/') != std::string::npos ||
                    artefact.sha256.at(role).size() != 64)
                    __builtin_trap();
    } catch (const ManifestError&) {
    }
    return 0;
}
