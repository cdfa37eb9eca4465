# Sets LOCATOR_OPENVINO_WHEEL to the CMake folder of the openvino package of the Python at hand, or
# to nothing. OpenVINO_DIR and CMAKE_PREFIX_PATH come before it, a system's installation after it.
set(LOCATOR_OPENVINO_WHEEL "")
if(NOT OpenVINO_DIR)
    find_package(Python3 QUIET COMPONENTS Interpreter)
    if(Python3_FOUND)
        # Found without importing it: that would load the whole engine.
        execute_process(
            COMMAND ${Python3_EXECUTABLE} -c
                "import importlib.util as u; print(u.find_spec('openvino').submodule_search_locations[0])"
            OUTPUT_VARIABLE wheel OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
        if(wheel)
            set(LOCATOR_OPENVINO_WHEEL ${wheel}/cmake)
        endif()
    endif()
endif()
