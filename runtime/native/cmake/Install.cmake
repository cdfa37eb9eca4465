# Installs the libraries, the headers, the shipped bundle and the package for find_package(locator).
install(TARGETS locator EXPORT locatorTargets FILE_SET HEADERS)
install(TARGETS locator_static EXPORT locatorStaticTargets FILE_SET HEADERS)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/weights DESTINATION ${CMAKE_INSTALL_DATADIR}/locator)

# Where OpenVINO's libraries are: copied beside this one, or found where they are now.
get_target_property(openvino_library openvino::runtime IMPORTED_LOCATION_RELEASE)
get_filename_component(openvino_folder ${openvino_library} DIRECTORY)
if(LOCATOR_INSTALL_OPENVINO)
    foreach(name openvino openvino_intel_cpu_plugin openvino_ir_frontend openvino_onnx_frontend
                 tbb tbbbind_2_5 hwloc)
        file(GLOB found ${openvino_folder}/lib${name}.so ${openvino_folder}/lib${name}.so.*)
        install(PROGRAMS ${found} DESTINATION ${CMAKE_INSTALL_LIBDIR})
    endforeach()
else()
    set_property(TARGET locator APPEND PROPERTY INSTALL_RPATH ${openvino_folder})
endif()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/locator)
configure_package_config_file(
    ${CMAKE_CURRENT_LIST_DIR}/locatorConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/locatorConfig.cmake
    INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(
    ${CMAKE_CURRENT_BINARY_DIR}/locatorConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/locatorConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/locatorConfigVersion.cmake
        DESTINATION ${package_folder})
foreach(set Targets StaticTargets)
    install(EXPORT locator${set} NAMESPACE locator:: DESTINATION ${package_folder})
endforeach()
