// An operator new that lacks memory when it is told to.
#pragma once

// While above 0, the nth allocation from now on in this thread fails.
extern thread_local int allocations_left;
