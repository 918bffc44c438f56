# dpl_add_fuzzer(<name> SOURCES <file>…)
#
# With DOPPEL_FUZZ a libFuzzer program; otherwise a program with a main of our own, and a test (label
# fuzz-replay) that gives it every file of fuzz/corpus/<name>: seeds, and one small file for each crash
# ever fixed.
function(dpl_add_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
  if(DOPPEL_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/fuzz/replay.c)
    add_test(NAME ${name} COMMAND ${name} ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
    set_tests_properties(${name} PROPERTIES LABELS fuzz-replay TIMEOUT 300
                                            ENVIRONMENT "${dpl_test_environment}")
  endif()
  target_link_libraries(${name} PRIVATE doppel_internal doppel_compile)
  # libFuzzer calls the entry point by its name; no header declares it.
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes -UNDEBUG)
  dpl_see(${name} ${dpl_folders})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX
                                           RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
endfunction()
