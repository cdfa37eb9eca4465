#include "failing_new.hpp"

#include <cstdlib>
#include <new>

thread_local int allocations_left = 0;

namespace {

void* allocated(std::size_t size) {
    const bool fails = allocations_left > 0 && --allocations_left == 0;
    return fails ? nullptr : std::malloc(size == 0 ? 1 : size);
}

}  // namespace

void* operator new(std::size_t size) {
    void* memory = allocated(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocated(size); }

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
