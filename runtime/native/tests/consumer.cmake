# Installs the project, moves the installation, and builds and runs a project that finds it there.
set(work ${BUILD}/consumer)
file(REMOVE_RECURSE ${work})

function(run)
    execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output COMMAND_ECHO STDOUT
                    COMMAND_ERROR_IS_FATAL ANY)
    message("${output}")
    set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/installed)
file(RENAME ${work}/installed ${work}/moved)
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${work}/build -G ${GENERATOR} -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_PREFIX_PATH=${work}/moved)
run(${CMAKE_COMMAND} --build ${work}/build)

# The same answer from the shared library, from the static one and from the installed command.
run(${work}/build/shared ${PICTURE})
set(expected "${output}")
if(NOT expected MATCHES "^gap -?[0-9.]+, -?[0-9.]+\n$")
    message(FATAL_ERROR "not an answer: ${expected}")
endif()
run(${work}/build/static ${PICTURE})
if(NOT output STREQUAL expected)
    message(FATAL_ERROR "the static library answers ${output}")
endif()
string(REGEX REPLACE "gap (.*)\n" "gap (\\1)" expected "${expected}")
run(${work}/moved/bin/locate ${PICTURE})
string(FIND "${output}" "${expected}" position)
if(position LESS 0)
    message(FATAL_ERROR "the command answers ${output}")
endif()

# A self-contained installation says nowhere where it was built or where OpenVINO came from.
if(SELF_CONTAINED)
    run(${READELF} --dynamic ${work}/moved/lib/liblocator.so)
    if(NOT output MATCHES "RUNPATH[^\n]*\\[\\$ORIGIN\\]")
        message(FATAL_ERROR "the library's run path is another")
    endif()
endif()
