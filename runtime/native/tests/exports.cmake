# The shared library exports the functions that the header declares, and nothing else.
execute_process(COMMAND ${NM} --dynamic --defined-only --format=posix ${LIBRARY}
                OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${listed}")
set(exported "")
foreach(line ${lines})
    string(REGEX MATCH "^[^ @]+" symbol "${line}")
    list(APPEND exported ${symbol})
endforeach()
list(REMOVE_ITEM exported LOCATOR_1)  # the version's own name

file(READ ${HEADER} header)
string(REGEX MATCHALL "LOCATOR_API [a-z0-9_ *]+\\(" declarations "${header}")
set(declared "")
foreach(declaration ${declarations})
    string(REGEX MATCH "locator_[a-z_]+\\($" name "${declaration}")
    string(REPLACE "(" "" name "${name}")
    list(APPEND declared ${name})
endforeach()

list(SORT exported)
list(SORT declared)
if(NOT declared OR NOT exported STREQUAL declared)
    message(FATAL_ERROR "exported: ${exported}\ndeclared: ${declared}")
endif()
