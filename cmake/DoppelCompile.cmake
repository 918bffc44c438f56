# How every source of doppel is compiled: the language, the warnings, the sanitizers.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# Shown is what include/doppel marks DPL_API.
set(CMAKE_C_VISIBILITY_PRESET hidden)

set(dpl_warnings -Wall -Wextra -Wshadow -Wvla -Wformat=2 $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
    $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)
if(DOPPEL_WERROR)
  list(APPEND dpl_warnings -Werror)
endif()

# What doppel's own targets compile with; generated code does without.
add_library(doppel_compile INTERFACE)
target_compile_options(doppel_compile INTERFACE ${dpl_warnings})
# POSIX and what glibc adds to it (clock_gettime, strnlen, getopt_long, O_CLOEXEC): C17 without the
# compiler's own extensions hides them otherwise.
target_compile_definitions(doppel_compile INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)

# Hardened as Debian builds its packages, with what this compiler has (test hardening). Sanitizers look
# deeper and do not go together with it.
if(NOT DOPPEL_SANITIZE)
  include(CheckCCompilerFlag)
  include(CheckLinkerFlag)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES C CXX)
  foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection)
    string(MAKE_C_IDENTIFIER "DPL_HAS${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
      add_compile_options(${flag})
    endif()
  endforeach()
  # 3 knows sizes that are computed; a compiler older than it takes it for 2. Without optimisation glibc
  # warns that it can do nothing. Undefined first: some compilers come with a level of their own.
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" OR CMAKE_C_FLAGS_DEBUG MATCHES "-O[1-3s]")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
  foreach(flag relro now)
    check_linker_flag(C LINKER:-z,${flag} DPL_HAS_LINKER_${flag})
    if(DPL_HAS_LINKER_${flag})
      add_link_options(LINKER:-z,${flag})
    endif()
  endforeach()
endif()

if(DOPPEL_SANITIZE)
  set(dpl_sanitize -fsanitize=${DOPPEL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_compile_options(${dpl_sanitize})
  add_link_options(${dpl_sanitize})
endif()
if(DOPPEL_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "DOPPEL_FUZZ needs clang, the compiler is ${CMAKE_C_COMPILER_ID}")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# The folders of the library, each seeing what stands before it and no more than it names.
set(dpl_folders base net text vision data train index)

# dpl_see(<target> <folder>…): lets a target include "<folder>/x.h". Each folder is reached through a
# link of its own, so that seeing one does not mean seeing its neighbours.
function(dpl_see target)
  foreach(folder IN LISTS ARGN)
    set(see ${PROJECT_BINARY_DIR}/see/${folder})
    if(NOT EXISTS ${see}/${folder})
      file(MAKE_DIRECTORY ${see})
      file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${see}/${folder} SYMBOLIC)
    endif()
    target_include_directories(${target} PRIVATE ${see})
  endforeach()
endfunction()

# dpl_add_folder(<folder> SOURCES <file>… [SEES <folder>…]): the object library doppel_<folder>.
function(dpl_add_folder folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;SEES")
  add_library(doppel_${folder} OBJECT ${arg_SOURCES})
  set_target_properties(doppel_${folder} PROPERTIES LINKER_LANGUAGE C)
  target_link_libraries(doppel_${folder} PRIVATE doppel_compile)
  target_include_directories(doppel_${folder} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  dpl_see(doppel_${folder} ${folder} ${arg_SEES})
endfunction()

# dpl_strict(<file>…): files of the calling folder that take no silent conversion: parsers, and what
# computes sizes from input.
function(dpl_strict)
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -Wconversion)
endfunction()
