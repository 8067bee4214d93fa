# find_package(pocketpoet) gives the target pocketpoet::pocketpoet.
include(${CMAKE_CURRENT_LIST_DIR}/PoetDependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/pocketpoetTargets.cmake)
