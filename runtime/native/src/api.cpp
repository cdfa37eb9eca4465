// The C interface: nothing thrown passes it, and structures of older and newer callers do.
#include <locator/locator.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string_view>

#include "bundle.hpp"
#include "cpus.hpp"
#include "failure.hpp"
#include "picture.hpp"
#include "session.hpp"

struct locator_handle {
    locator::internal::Session session;
};

namespace {

using locator::internal::Bundle;
using locator::internal::fail;
using locator::internal::Failure;
using locator::internal::Session;

// Of a fixed size, so that telling of a lack of memory takes none.
thread_local std::array<char, 1024> last_error;

locator_status remember(locator_status status, const char* text) noexcept {
    std::snprintf(last_error.data(), last_error.size(), "%s", text);
    // A name that is quoted may hold anything; the text stays a line.
    std::replace_if(
        last_error.begin(), last_error.end(), [](unsigned char c) { return c != 0 && c < ' '; },
        ' ');
    return status;
}

// Runs the body; what it throws becomes a status and this thread's last error.
template <typename Body>
locator_status guarded(const Body& body) noexcept {
    try {
        body();
        return remember(LOCATOR_OK, "");
    } catch (const Failure& failure) {
        return remember(failure.status(), failure.what());
    } catch (const std::bad_alloc&) {
        return remember(LOCATOR_ERROR_INTERNAL, "out of memory");
    } catch (const std::exception& error) {
        return remember(LOCATOR_ERROR_INTERNAL, error.what());
    } catch (...) {
        return remember(LOCATOR_ERROR_INTERNAL, "an exception of an unknown kind");
    }
}

void require_pointer(const void* pointer, const char* name) {
    if (pointer == nullptr) fail(LOCATOR_ERROR_ARGUMENT, name, " is null");
}

// struct_size as the caller has set it, at least that of the first version of the structure.
template <typename Struct>
std::size_t size_of(const Struct* given, const char* name) {
    require_pointer(given, name);
    if (given->struct_size < sizeof(Struct))
        fail(LOCATOR_ERROR_ARGUMENT, name, "'s struct_size is ", given->struct_size,
             ", expected at least ", sizeof(Struct), ": set it to sizeof(", name, ")");
    return given->struct_size;
}

// A copy of the caller's structure.
template <typename Struct>
Struct taken(const Struct* given, const char* name) {
    const std::size_t size = size_of(given, name);
    const auto* bytes = reinterpret_cast<const unsigned char*>(given);
    const bool unknown = std::any_of(bytes + sizeof(Struct), bytes + size,
                                     [](unsigned char byte) { return byte != 0; });
    if (unknown)
        fail(LOCATOR_ERROR_ARGUMENT, name,
             " holds fields that this library does not know: upgrade it");
    return *given;
}

template <typename Struct>
Struct taken_or_default(const Struct* given, const char* name) {
    return given == nullptr ? Struct{} : taken(given, name);
}

std::string text_or(const char* text, const char* otherwise) {
    return text == nullptr ? otherwise : text;
}

// load: () -> cv::Mat.
template <typename Load>
locator_status predict(locator_handle* handle, const locator_query* query,
                       locator_location* location, const Load& load) noexcept {
    return guarded([&] {
        require_pointer(handle, "the handle");
        const std::size_t size = size_of(location, "locator_location");
        const locator_query asked = taken_or_default(query, "locator_query");
        handle->session.check_process();
        const locator_location found = handle->session.predict(load(), asked);
        // Fields that only the caller knows are zero.
        std::memset(static_cast<void*>(location), 0, size);
        *location = found;
        location->struct_size = size;
    });
}

}  // namespace

uint32_t locator_abi_version(void) { return LOCATOR_ABI_VERSION; }

const char* locator_version(void) { return LOCATOR_VERSION; }

const char* locator_last_error(void) { return last_error.data(); }

locator_status locator_open(const char* bundle_dir, const locator_options* options,
                            locator_handle** handle) {
    return guarded([&] {
        require_pointer(handle, "the handle's address");
        *handle = nullptr;
        require_pointer(bundle_dir, "bundle_dir");
        const locator_options asked = taken_or_default(options, "locator_options");
        if (asked.threads < 0)
            fail(LOCATOR_ERROR_ARGUMENT, "expected at least 1 thread, got ", asked.threads);
        const int threads =
            asked.threads > 0 ? asked.threads : locator::internal::default_threads();
        *handle = new locator_handle{
            Session(Bundle(bundle_dir), text_or(asked.precision, "int8"),
                    {text_or(asked.device, "cpu"), threads, text_or(asked.cache_dir, "")})};
    });
}

void locator_close(locator_handle* handle) { delete handle; }

locator_status locator_predict_file(locator_handle* handle, const char* path,
                                    const locator_query* query, locator_location* location) {
    return predict(handle, query, location, [&] {
        require_pointer(path, "path");
        return locator::internal::load_file(path);
    });
}

locator_status locator_predict_bytes(locator_handle* handle, const void* data, size_t size,
                                     const locator_query* query, locator_location* location) {
    return predict(handle, query, location, [&] {
        require_pointer(data, "data");
        const std::string_view bytes(static_cast<const char*>(data), size);
        return locator::internal::load_bytes(
            bytes, locator::internal::joined("the picture given as ", size, " bytes"));
    });
}

locator_status locator_predict_pixels(locator_handle* handle, const locator_pixels* pixels,
                                      const locator_query* query, locator_location* location) {
    return predict(handle, query, location,
                   [&] { return locator::internal::load_pixels(taken(pixels, "locator_pixels")); });
}
