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
    PkgConfig::sqlite3 PkgConfig::jansson ${dpl_format_libs} ${DPL_XMP_LIBS} ${DPL_POSTGRES_LIBS} FAISS::faiss_c FAISS::faiss
    PkgConfig::openblas ${dpl_openmp} Threads::Threads
    ${CMAKE_DL_LIBS} m)

# FAISS, BLAS and what they stand on take longer to load than two photos to compare, and what libpq stands on
# a fifth of what starting the program takes. On Linux libdoppel.so opens them by the first call that needs
# them: the files that know them are compiled so once more.
# A FAISS of archives becomes a library of its own, which shows its C API. Not with a sanitizer: what it puts
# in the place of dlopen() looks beside itself, not beside who calls it.
set(dpl_shared_objects ${dpl_objects})
set(dpl_shared_needs ${dpl_needs})
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT DOPPEL_SANITIZE)
  if(FAISS_C_LIBRARY MATCHES "\\.a$")
    file(WRITE ${PROJECT_BINARY_DIR}/faiss.map "{ global: faiss_*; local: *; };\n")
    file(WRITE ${PROJECT_BINARY_DIR}/faiss.c "/* FAISS's archives as a library: no code of ours. */\n")
    add_library(doppel_faiss SHARED ${PROJECT_BINARY_DIR}/faiss.c)
    target_link_libraries(doppel_faiss PRIVATE -Wl,--whole-archive ${FAISS_C_LIBRARY}
                                               -Wl,--no-whole-archive FAISS::faiss)
    target_link_options(doppel_faiss PRIVATE LINKER:--version-script=${PROJECT_BINARY_DIR}/faiss.map)
    set_target_properties(doppel_faiss PROPERTIES LINKER_LANGUAGE CXX)
    set(dpl_late_faiss libdoppel_faiss.so)
    set(dpl_late_dir ${PROJECT_BINARY_DIR}/lib)
  else()
    get_filename_component(dpl_late_faiss ${FAISS_C_LIBRARY} NAME)
    get_filename_component(dpl_late_dir ${FAISS_C_LIBRARY} DIRECTORY)
  endif()
  add_library(doppel_late OBJECT ${PROJECT_SOURCE_DIR}/index/ann.c ${PROJECT_SOURCE_DIR}/net/blas.c)
  target_link_libraries(doppel_late PRIVATE doppel_compile FAISS::faiss_c PkgConfig::openblas)
  target_compile_definitions(doppel_late PRIVATE DPL_LATE_FAISS="${dpl_late_faiss}"
                                                 DPL_LATE_BLAS="libopenblas.so.0")
  if(DPL_HAS_POSTGRES)
    target_sources(doppel_late PRIVATE ${PROJECT_SOURCE_DIR}/index/db_postgres.c)
    target_link_libraries(doppel_late PRIVATE ${DPL_POSTGRES_LIBS})
    target_compile_definitions(doppel_late PRIVATE DPL_LATE_LIBPQ="libpq.so.5")
  endif()
  target_include_directories(doppel_late PRIVATE ${PROJECT_SOURCE_DIR}/include)
  dpl_see(doppel_late base net index)
  set(dpl_shared_objects "")
  foreach(part IN LISTS dpl_parts)
    list(APPEND dpl_shared_objects "$<FILTER:$<TARGET_OBJECTS:${part}>,EXCLUDE,/(ann|blas|db_postgres)[.]c[.]o>")
  endforeach()
  list(APPEND dpl_shared_objects $<TARGET_OBJECTS:doppel_late>)
  list(REMOVE_ITEM dpl_shared_needs FAISS::faiss_c FAISS::faiss PkgConfig::openblas ${dpl_openmp}
       ${DPL_POSTGRES_LIBS})
endif()

add_library(doppel SHARED ${dpl_shared_objects})
add_library(doppel::doppel ALIAS doppel)
target_include_directories(
  doppel INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                   $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(doppel PRIVATE ${dpl_shared_needs})
if(dpl_late_dir)
  set_property(TARGET doppel PROPERTY BUILD_RPATH ${dpl_late_dir})
  if(TARGET doppel_faiss)
    add_dependencies(doppel doppel_faiss)
  endif()
endif()
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
