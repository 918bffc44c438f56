# The libraries that doppel stands on, each as an imported target. All but some formats of pictures and
# XMP are required, so that a configuration either has everything or names what is missing.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# The OpenMP run time that FAISS uses, before FAISS, whose check needs it. clang would bring its own
# (libomp) beside the libgomp that a FAISS built by GCC has loaded already, so there libgomp is linked
# by its path.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_library(GOMP_LIBRARY NAMES gomp HINTS ${CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES})
  mark_as_advanced(GOMP_LIBRARY)
endif()
if(GOMP_LIBRARY)
  set(dpl_openmp ${GOMP_LIBRARY})
else()
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set(dpl_openmp OpenMP::OpenMP_CXX)
endif()

foreach(module IN ITEMS libjpeg libpng openblas libprotobuf-c libexif jansson libzip libutf8proc
                libxxhash zlib)
  pkg_check_modules(${module} REQUIRED IMPORTED_TARGET ${module})
endforeach()

# dpl_optional(<NAME> <what it is for> <module>…) - something that doppel can do without: DOPPEL_<NAME>
# takes AUTO (done where its libraries are there), ON (or fail) and OFF. Where it is done, DPL_HAS_<NAME>
# is set, and DPL_<NAME>_LIBS has the libraries.
macro(dpl_optional name what)
  set(DOPPEL_${name} AUTO CACHE STRING "${what}: AUTO, ON or OFF")
  set_property(CACHE DOPPEL_${name} PROPERTY STRINGS AUTO ON OFF)
  set(DPL_HAS_${name} NO)
  set(DPL_${name}_LIBS "")
  if(DOPPEL_${name})
    set(DPL_HAS_${name} YES)
    foreach(module IN ITEMS ${ARGN})
      string(REGEX REPLACE "[<>=].*" "" target ${module})
      if(DOPPEL_${name} STREQUAL "AUTO")
        pkg_check_modules(${target} IMPORTED_TARGET ${module})
      else()
        pkg_check_modules(${target} REQUIRED IMPORTED_TARGET ${module})
      endif()
      if(NOT ${target}_FOUND)
        set(DPL_HAS_${name} NO)
      endif()
      list(APPEND DPL_${name}_LIBS PkgConfig::${target})
    endforeach()
  endif()
  if(NOT DPL_HAS_${name})
    set(DPL_${name}_LIBS "")
  endif()
endmacro()

# dpl_format(<NAME> <module>…) - a format of pictures that doppel can do without. Where it is read,
# dpl_formats and dpl_format_libs have it, too.
set(dpl_formats "")
set(dpl_format_libs "")
macro(dpl_format name)
  dpl_optional(${name} "Read pictures of the format ${name}" ${ARGN})
  if(DPL_HAS_${name})
    list(APPEND dpl_formats ${name})
    list(APPEND dpl_format_libs ${DPL_${name}_LIBS})
  endif()
endmacro()
dpl_format(WEBP libwebp)
# With handlers of errors that know whose they are.
dpl_format(TIFF libtiff-4>=4.5)
dpl_format(HEIC libde265)
dpl_format(AVIF dav1d>=1.0)
list(JOIN dpl_formats ", " said)
message(STATUS "Formats beside JPEG and PNG: ${said}")

# Names of faces in sidecars: exempi for their content, expat to look at them before it does.
dpl_optional(XMP "Names of faces in XMP sidecars" exempi-2.0>=2.5 expat)
message(STATUS "XMP sidecars: ${DPL_HAS_XMP}")

dpl_optional(POSTGRES "Galleries in PostgreSQL" libpq>=14)
message(STATUS "PostgreSQL: ${DPL_HAS_POSTGRES}")

# Digests under one licence with ours: OpenSSL is under Apache's since 3.0.
pkg_check_modules(libcrypto REQUIRED IMPORTED_TARGET libcrypto>=3.0)
# STRICT tables, IS NOT DISTINCT FROM
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3>=3.39)

find_package(FAISS REQUIRED)

# ONNX's own schema, compiled to C in the build tree.
find_program(PROTOC_C NAMES protoc-c REQUIRED DOC "The protobuf-c compiler")
find_path(ONNX_PROTO_DIR NAMES onnx/onnx.proto REQUIRED DOC "The folder that holds onnx/onnx.proto")
set(onnx_out ${PROJECT_BINARY_DIR}/onnx)
file(MAKE_DIRECTORY ${onnx_out})
add_custom_command(
  OUTPUT ${onnx_out}/onnx/onnx.pb-c.c ${onnx_out}/onnx/onnx.pb-c.h
  COMMAND ${PROTOC_C} -I ${ONNX_PROTO_DIR} --c_out=${onnx_out} ${ONNX_PROTO_DIR}/onnx/onnx.proto
  DEPENDS ${ONNX_PROTO_DIR}/onnx/onnx.proto
  COMMENT "Generating onnx/onnx.pb-c.c" VERBATIM)
add_library(onnx_pb OBJECT ${onnx_out}/onnx/onnx.pb-c.c ${onnx_out}/onnx/onnx.pb-c.h)
target_include_directories(onnx_pb SYSTEM INTERFACE ${onnx_out})
target_include_directories(onnx_pb PRIVATE ${onnx_out})
target_link_libraries(onnx_pb PUBLIC PkgConfig::libprotobuf-c)
