# find_package(doppel): the target doppel::doppel. What libdoppel.so itself links stays its own
# business, so nothing else has to be found.
include(${CMAKE_CURRENT_LIST_DIR}/doppelTargets.cmake)
