# What is installed, and how the parts find each other afterwards: by paths relative to themselves, so
# that the whole prefix can be moved.

include(CMakePackageConfigHelpers)

file(RELATIVE_PATH lib_from_bin /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
if(APPLE)
  set(origin @loader_path)
else()
  set(origin $ORIGIN)
endif()
set_property(TARGET doppel-cli PROPERTY INSTALL_RPATH ${origin}/${lib_from_bin})

# A FAISS that is not a package of the system comes along, in a folder of our own: the place where it
# was built is a cache, which may go.
set(system_dirs ${CMAKE_SYSTEM_PREFIX_PATH})
list(TRANSFORM system_dirs APPEND /lib)
list(APPEND system_dirs ${CMAKE_C_IMPLICIT_LINK_DIRECTORIES})
get_filename_component(faiss_dir ${FAISS_LIBRARY} DIRECTORY)
if(NOT faiss_dir IN_LIST system_dirs AND FAISS_LIBRARY MATCHES "\\.(so|dylib)$")
  install(DIRECTORY ${faiss_dir}/ DESTINATION ${CMAKE_INSTALL_LIBDIR}/doppel
          FILES_MATCHING PATTERN "libfaiss.*" PATTERN "libfaiss_c.*" PATTERN "cmake" EXCLUDE)
  set_property(TARGET doppel PROPERTY INSTALL_RPATH ${origin}/doppel)
endif()

if(TARGET doppel_faiss)
  install(TARGETS doppel_faiss LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/doppel)
  set_property(TARGET doppel PROPERTY INSTALL_RPATH ${origin}/doppel)
endif()

install(TARGETS doppel EXPORT doppelTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS doppel-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${DPL_PUBLIC_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/doppel)
install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/doppel OPTIONAL
        FILES_MATCHING PATTERN make EXCLUDE PATTERN "*.onnx" PATTERN "*.json" PATTERN "*LICENSE*" PATTERN "*.md")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/schema DESTINATION ${CMAKE_INSTALL_DATADIR}/doppel FILES_MATCHING PATTERN "*.json")

install(EXPORT doppelTargets NAMESPACE doppel:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/doppel)
write_basic_package_version_file(doppelConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH models_from_config /${CMAKE_INSTALL_LIBDIR}/cmake/doppel
     /${CMAKE_INSTALL_DATADIR}/doppel/models)
configure_file(cmake/doppelConfig.cmake.in doppelConfig.cmake @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/doppelConfig.cmake
              ${PROJECT_BINARY_DIR}/doppelConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/doppel)

file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/doppel.pc.in doppel.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/doppel.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
