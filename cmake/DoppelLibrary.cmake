# The object libraries put together: doppel, the shared library that customers and the program link,
# and doppel_internal, the same objects for tests, benchmarks and fuzz targets that reach dpli_*.

set(dpl_parts doppel_base doppel_net doppel_text doppel_vision doppel_data doppel_train doppel_index onnx_pb)
set(dpl_objects "")
foreach(part IN LISTS dpl_parts)
  list(APPEND dpl_objects $<TARGET_OBJECTS:${part}>)
endforeach()
set(dpl_needs
    PkgConfig::libjpeg PkgConfig::libpng PkgConfig::libexif PkgConfig::libprotobuf-c
    PkgConfig::libzip PkgConfig::zlib PkgConfig::libcrypto PkgConfig::libxxhash PkgConfig::libutf8proc
    PkgConfig::libsodium
    PkgConfig::sqlite3 PkgConfig::jansson ${dpl_format_libs} ${DPL_XMP_LIBS} FAISS::faiss_c FAISS::faiss
    PkgConfig::openblas ${dpl_openmp} Threads::Threads
    ${CMAKE_DL_LIBS} m)

add_library(doppel SHARED ${dpl_objects})
add_library(doppel::doppel ALIAS doppel)
target_include_directories(
  doppel INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                   $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(doppel PRIVATE ${dpl_needs})
# The number of the library's interface is its own: it changes when a program built before would not run
# any more. C++ because FAISS may be static.
set_target_properties(doppel PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 1
                                        LINKER_LANGUAGE CXX)
if(APPLE)
  target_link_options(doppel PRIVATE "LINKER:-exported_symbol,_dpl_*")
else()
  target_link_options(doppel PRIVATE
                      "LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/doppel.map")
  set_property(TARGET doppel PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/doppel.map)
  if(NOT DOPPEL_SANITIZE)
    target_link_options(doppel PRIVATE "LINKER:--no-undefined")
  endif()
endif()

add_library(doppel_internal STATIC ${dpl_objects})
target_include_directories(doppel_internal PUBLIC ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(doppel_internal PUBLIC ${dpl_needs})
set_target_properties(doppel_internal PROPERTIES LINKER_LANGUAGE CXX)
