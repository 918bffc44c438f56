# Finds a FAISS that has its C API: the target FAISS::faiss_c, and FAISS::faiss below it.
#
# Looked for in FAISS_ROOT (variable or environment), CMAKE_PREFIX_PATH, then the system. Headers alone
# prove nothing (Debian installs those of the C API without its code), so a program that calls the C
# API is linked before the result is believed.

find_path(FAISS_INCLUDE_DIR NAMES faiss/c_api/IndexFlat_c.h)
find_library(FAISS_C_LIBRARY NAMES faiss_c)
find_library(FAISS_LIBRARY NAMES faiss)
mark_as_advanced(FAISS_INCLUDE_DIR FAISS_C_LIBRARY FAISS_LIBRARY)

if(FAISS_INCLUDE_DIR AND FAISS_C_LIBRARY AND FAISS_LIBRARY)
  include(CheckCXXSourceCompiles)
  # The libraries may be static: the order and what comes after them matter then.
  set(CMAKE_REQUIRED_LIBRARIES ${FAISS_C_LIBRARY} ${FAISS_LIBRARY} PkgConfig::openblas
                               ${dpl_openmp})
  set(CMAKE_REQUIRED_INCLUDES ${FAISS_INCLUDE_DIR})
  # A check of another FAISS does not count for this one.
  string(MD5 which "${FAISS_C_LIBRARY}|${FAISS_LIBRARY}")
  check_cxx_source_compiles("
    #include <faiss/c_api/IndexFlat_c.h>
    #include <faiss/c_api/clone_index_c.h>
    int main(void) {
        FaissIndex *index = 0, *copy = 0;
        return faiss_IndexFlat_new_with(&index, 4, METRIC_L2) || faiss_clone_index(index, &copy);
    }" FAISS_C_API_LINKS_${which})
  set(FAISS_C_API_LINKS ${FAISS_C_API_LINKS_${which}})
  unset(CMAKE_REQUIRED_LIBRARIES)
  unset(CMAKE_REQUIRED_INCLUDES)

  file(STRINGS ${FAISS_INCLUDE_DIR}/faiss/Index.h faiss_version REGEX "^#define FAISS_VERSION_")
  if(faiss_version MATCHES "MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+)")
    set(FAISS_VERSION ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  FAISS
  REQUIRED_VARS FAISS_C_LIBRARY FAISS_LIBRARY FAISS_INCLUDE_DIR FAISS_C_API_LINKS
  VERSION_VAR FAISS_VERSION
  REASON_FAILURE_MESSAGE
    "doppel needs FAISS with its C API (libfaiss_c): ./dev build makes one, docs/install.md tells more")

if(FAISS_FOUND AND NOT TARGET FAISS::faiss_c)
  add_library(FAISS::faiss UNKNOWN IMPORTED)
  set_target_properties(
    FAISS::faiss PROPERTIES IMPORTED_LOCATION ${FAISS_LIBRARY}
                            INTERFACE_LINK_LIBRARIES "PkgConfig::openblas;${dpl_openmp}")
  add_library(FAISS::faiss_c UNKNOWN IMPORTED)
  set_target_properties(
    FAISS::faiss_c
    PROPERTIES IMPORTED_LOCATION ${FAISS_C_LIBRARY}
               INTERFACE_INCLUDE_DIRECTORIES ${FAISS_INCLUDE_DIR}
               INTERFACE_LINK_LIBRARIES FAISS::faiss)
endif()
