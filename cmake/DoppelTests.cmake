# The ways a test is added. Labels are those of the project: unit, golden, property, cli, fuzz-replay,
# slow.

# What every test runs with: the models of the source tree, memory that malloc fills (glibc) so that
# nothing works by what happened to be there, nobody's configuration file, and sanitizers that stop at
# the first finding. FAISS runs on libgomp, which keeps memory until the process ends.
set(dpl_test_environment
    DOPPEL_MODELS=${PROJECT_SOURCE_DIR}/models
    MALLOC_PERTURB_=165
    XDG_CONFIG_HOME=${PROJECT_BINARY_DIR}/tests/no-configuration
    ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1
    UBSAN_OPTIONS=print_stacktrace=1
    TSAN_OPTIONS=halt_on_error=1
    OPENBLAS_NUM_THREADS=1
    OMP_NUM_THREADS=1)

# What tests/failing_alloc.h stands in for.
set(dpl_allocators malloc calloc realloc aligned_alloc)

# What hangs is ended by ctest: after half an hour by the presets, and nothing else has a limit of its own. A
# machine may have other work, too.

# The long ones, the longest first. They begin first: one that begins last leaves all cores but its own
# without work. What a build tree has measured itself counts more.
set(dpl_long
    test_gallery_fail cli_training_page memcheck_gallery test_cuts postgres_test_search instructions
    memcheck_net_graph memcheck_export test_train_reference test_jobs_fail test_snapshot_cuts cli_examples
    memcheck_image test_train memcheck_image_memory postgres_cli_scan test_kills test_search cli_calibrate
    cli_scan test_memory python postgres_test_gallery postgres_cli_enroll cli_migrate postgres_cli_query
    postgres_test_migrate test_photo sealed_test_search test_encryption postgres_cli_right dist cli_archive
    postgres_test_doubt serve_browser cli_enroll cli_folders serve_server cli_library test_migrate
    sealed_test_migrate cli_query_folder postgres_test_jobs test_search_index test_train_vectors
    postgres_cli_dupes test_decisions cli_query python_types cli_encryption postgres_test_export
    test_image_memory cli_interrupt cli_captions cli_right cli_check sealed_test_gallery python_install
    cli_postgres test_gallery cli_output postgres_cli_verify cli_train cli_json postgres_cli_remembers
    test_gallery_version test_export sealed_test_export cli_dupes test_net_graph cli_verify cli_remembers
    cli_decisions postgres_cli_xmp test_arch postgres_test_group pgvector_test_right cli_archive_page cli_input
    cli_move test_jobs cli_xmp serve_memory)
list(LENGTH dpl_long dpl_n_long)

# What sanitizers do not run again: pages of the documentation, whose commands other tests run as well;
# numbers beside a reference's, made by what the other tests of train and net run.
set(dpl_not_sanitized
    cli_archive_page cli_captions_page cli_readme cli_sentences_page cli_serve_page test_train_reference)

# dpl_label(<name> <label>…): its labels. Slow alone is what ./dev asan leaves out.
function(dpl_label name)
  if(DOPPEL_SANITIZE AND name IN_LIST dpl_not_sanitized)
    set(ARGN slow)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARGN}")
endfunction()

# dpl_begin_early(<name>): by its place among the long ones. Not in an emulator, where they take an hour: what
# else fails is to be known before.
function(dpl_begin_early name)
  if(CMAKE_CROSSCOMPILING)
    return()
  endif()
  list(FIND dpl_long ${name} at)
  if(at GREATER_EQUAL 0)
    math(EXPR cost "${dpl_n_long} - ${at}")
    set_tests_properties(${name} PROPERTIES COST ${cost})
  endif()
endfunction()

# dpl_add_test(<name> LABELS <label>… SOURCES <file>… [LIBS <target>…] [WRAP <function>…])
#
# A cmocka program that may call everything the library has, dpli_* too, and include
# "<folder>/x.h" of any folder. WRAP passes --wrap=<function> to the linker.
# The program's working directory is a folder of its own in the build tree; it finds its data through
# the macros DPL_SOURCE_DIR and DPL_MODELS_DIR.
function(dpl_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LABELS;SOURCES;LIBS;WRAP")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE doppel_internal doppel_compile ${arg_LIBS}
                                        PkgConfig::cmocka m)
  dpl_see(${name} ${dpl_folders} tests)
  if("gallery_kit.c" IN_LIST arg_SOURCES)
    target_link_libraries(${name} PRIVATE postgres_kit)
  endif()
  target_compile_definitions(${name} PRIVATE DPL_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             DPL_MODELS_DIR="${PROJECT_SOURCE_DIR}/models")
  foreach(function IN LISTS arg_WRAP)
    target_link_options(${name} PRIVATE LINKER:--wrap=${function})
  endforeach()
  # Asserts stay on in tests, whatever the build. A path cut short fails a test by itself, and whether
  # the compiler warns of it depends on how much it inlines.
  target_compile_options(${name} PRIVATE -UNDEBUG -Wno-format-truncation)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX
                                           RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  set(work ${PROJECT_BINARY_DIR}/tests/scratch/${name})
  file(MAKE_DIRECTORY ${work})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${work})
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "${dpl_test_environment}")
  dpl_label(${name} ${arg_LABELS})
  dpl_begin_early(${name})
endfunction()

# dpl_again_in_postgres(<test> [postgres|pgvector])
#
# A test that runs another's program once more, as postgres_<test> or pgvector_<test>, its galleries in
# that server (tests/postgres); skipped where there is none. Slow: what of it is the keeper's own code runs
# under sanitizers by test_store_postgres.
function(dpl_again_in_postgres name)
  set(server postgres)
  if(ARGN)
    set(server ${ARGV1})
  endif()
  if(NOT DPL_HAS_POSTGRES)
    return()
  endif()
  set(work ${PROJECT_BINARY_DIR}/tests/scratch/${server}_${name})
  file(MAKE_DIRECTORY ${work})
  add_test(NAME ${server}_${name} COMMAND ${name} WORKING_DIRECTORY ${work})
  set_tests_properties(
    ${server}_${name} PROPERTIES LABELS slow FIXTURES_REQUIRED ${server}
                     SKIP_RETURN_CODE 77
                     ENVIRONMENT "${dpl_test_environment};DOPPEL_TEST_POSTGRES=${PROJECT_BINARY_DIR}/tests/scratch/${server};XDG_CACHE_HOME=${work}/cache")
  dpl_begin_early(${server}_${name})
endfunction()

# dpl_again_sealed(<test>)
#
# A test that runs another's program once more, as sealed_<test>, its galleries encrypted. What of it is the
# keeper's own code runs under sanitizers by test_encryption.
function(dpl_again_sealed name)
  if(DOPPEL_SANITIZE)
    return()
  endif()
  set(work ${PROJECT_BINARY_DIR}/tests/scratch/sealed_${name})
  file(MAKE_DIRECTORY ${work})
  add_test(NAME sealed_${name} COMMAND ${name} WORKING_DIRECTORY ${work})
  set_tests_properties(sealed_${name} PROPERTIES LABELS unit
                                                 ENVIRONMENT "${dpl_test_environment};DOPPEL_ENCRYPTED=1")
  dpl_begin_early(sealed_${name})
endfunction()

# dpl_program(<variable> <target>): what a script starts a program by: its file, or, where an emulator runs
# programs, a script that has it do so.
function(dpl_program variable target)
  if(NOT CMAKE_CROSSCOMPILING_EMULATOR)
    set(${variable} $<TARGET_FILE:${target}> PARENT_SCOPE)
    return()
  endif()
  list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
  set(file ${PROJECT_BINARY_DIR}/run/${target})
  get_property(there GLOBAL PROPERTY dpl_program_${target})
  if(NOT there)
    set_property(GLOBAL PROPERTY dpl_program_${target} YES)
    file(GENERATE OUTPUT ${file} CONTENT "#!/bin/sh\nexec ${emulator} $<TARGET_FILE:${target}> \"$@\"\n"
         FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
  set(${variable} ${file} PARENT_SCOPE)
endfunction()

# dpl_add_program(<target> <source> <function>…)
#
# The program once more, linked with all of its objects and the library's, and with what source has in the
# place of these functions (--wrap).
function(dpl_add_program target source)
  add_executable(${target} ${source} $<TARGET_OBJECTS:doppel-cli> $<TARGET_OBJECTS:doppel_assets>)
  target_link_libraries(${target} PRIVATE doppel_internal doppel_compile PkgConfig::jansson
                                          PkgConfig::libmicrohttpd Threads::Threads m)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  dpl_see(${target} ${dpl_folders})
  foreach(function IN LISTS ARGN)
    target_link_options(${target} PRIVATE LINKER:--wrap=${function})
  endforeach()
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX
                                             RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endfunction()

# dpl_add_processors(<test>) - a test of kernels once more on each kind of ARM's processors that qemu plays:
# plain NEON, with products of bytes, and one with everything. None where nothing is played.
function(dpl_add_processors name)
  if(NOT CMAKE_CROSSCOMPILING_EMULATOR MATCHES "qemu-aarch64")
    return()
  endif()
  foreach(processor cortex-a53 cortex-a76 max)
    add_test(NAME ${name}_${processor} COMMAND ${name}
             WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/tests/scratch/${name})
    set_tests_properties(${name}_${processor} PROPERTIES LABELS unit SKIP_RETURN_CODE 77
                         ENVIRONMENT "${dpl_test_environment};QEMU_CPU=${processor}")
  endforeach()
endfunction()

# dpl_add_memcheck(<name> <program> [<argument>…])
#
# A test (label slow) that runs a test's program under valgrind, which finds every decision by a byte
# that nobody wrote. Skipped where there is no valgrind; sanitizers do without. The JPEG decoder runs
# without its vector code, of which valgrind takes two pixels for one.
find_program(VALGRIND NAMES valgrind DOC "For the tests memcheck_*")
mark_as_advanced(VALGRIND)
function(dpl_add_memcheck name program)
  if(DOPPEL_SANITIZE OR CMAKE_CROSSCOMPILING)
    return()
  endif()
  if(VALGRIND)
    set(command ${VALGRIND} -q --error-exitcode=99 --leak-check=no $<TARGET_FILE:${program}> ${ARGN})
  else()
    set(command sh -c "echo no valgrind; exit 77")
  endif()
  set(work ${PROJECT_BINARY_DIR}/tests/scratch/${name})
  file(MAKE_DIRECTORY ${work})
  add_test(NAME ${name} COMMAND ${command} WORKING_DIRECTORY ${work})
  set_tests_properties(
    ${name} PROPERTIES LABELS slow SKIP_RETURN_CODE 77
                       ENVIRONMENT "${dpl_test_environment};JSIMD_FORCENONE=1;DOPPEL_CPU=avx2")
  dpl_begin_early(${name})
endfunction()

# A Python for the tests that need one: the system's, which has the packages of scripts/packages.txt.
find_program(DOPPEL_PYTHON NAMES python3 HINTS /usr/bin DOC "For the tests of python/ and docs/api.md")
mark_as_advanced(DOPPEL_PYTHON)

# dpl_add_cli_test(<script> LABELS <label>…)
#
# A POSIX shell script of tests/cli, run by tests/cli/run in an empty folder of its own with DOPPEL (the
# program), DOPPEL_MODELS and SRCDIR (the source tree) in the environment. <script>.exit (default 0),
# .stdout and .stderr beside it, where they exist, state what must come out.
function(dpl_add_cli_test script)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LABELS")
  get_filename_component(name ${script} NAME_WE)
  set(name cli_${name})
  dpl_program(doppel doppel-cli)
  add_test(NAME ${name}
           COMMAND sh ${PROJECT_SOURCE_DIR}/tests/cli/run ${CMAKE_CURRENT_SOURCE_DIR}/${script}
                   ${PROJECT_BINARY_DIR}/tests/scratch/${name})
  set_tests_properties(
    ${name} PROPERTIES ENVIRONMENT "${dpl_test_environment};DOPPEL=${doppel};SRCDIR=${PROJECT_SOURCE_DIR}")
  dpl_label(${name} ${arg_LABELS})
  dpl_begin_early(${name})
endfunction()
