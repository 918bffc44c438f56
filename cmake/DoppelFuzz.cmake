# dpl_add_fuzzer(<name> SOURCES <file>…)
#
# With DOPPEL_FUZZ a libFuzzer program; otherwise a program with a main of our own, and a test (label
# fuzz-replay) that gives it every file of fuzz/corpus/<name>: seeds, and one small file for each crash
# ever fixed; and of the folders that fuzz/seeds.txt names for it.
file(STRINGS ${PROJECT_SOURCE_DIR}/fuzz/seeds.txt dpl_seeds REGEX "^fuzz_")
function(dpl_add_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
  if(DOPPEL_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/fuzz/replay.c)
    set(folders ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
    foreach(line IN LISTS dpl_seeds)
      if(line MATCHES "^${name} +(.*)$")
        list(APPEND folders ${PROJECT_SOURCE_DIR}/${CMAKE_MATCH_1})
      endif()
    endforeach()
    add_test(NAME ${name} COMMAND ${name} ${folders})
    set_tests_properties(${name} PROPERTIES LABELS fuzz-replay
                                            ENVIRONMENT "${dpl_test_environment}")
  endif()
  target_link_libraries(${name} PRIVATE doppel_internal doppel_compile)
  # libFuzzer calls the entry point by its name; no header declares it.
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes -UNDEBUG)
  target_compile_definitions(${name} PRIVATE DPL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  dpl_see(${name} ${dpl_folders} fuzz)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX
                                           RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
endfunction()
