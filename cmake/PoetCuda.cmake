# Finds nvcc and asks it which cards it can compile for. POET_CUDA_ARCHS is a list of compute capabilities without the dot;
# at its default all that both the project and nvcc know are built, and PTX of the newest for cards to come.
include(CheckLanguage)
set(known_archs 61 75 80 86 89 90 100 120)
set(POET_CUDA_ARCHS "" CACHE STRING "Compute capabilities to build for, e.g. 61;75; empty: all that nvcc knows")

check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "POET_CUDA needs nvcc; put it on PATH or set CMAKE_CUDA_COMPILER")
endif()
execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-arch OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[0-9]+" listed "${listed}")

set(wanted ${POET_CUDA_ARCHS})
if(NOT wanted)
  foreach(arch ${known_archs})
    if(arch IN_LIST listed)
      list(APPEND wanted ${arch})
    endif()
  endforeach()
endif()
foreach(arch ${wanted})
  if(NOT arch IN_LIST listed AND arch LESS 75)
    message(FATAL_ERROR "${CMAKE_CUDA_COMPILER} has dropped sm_${arch} (a GTX 1080 is sm_61): "
                        "use a CUDA toolkit of 11.8 to 12.9")
  elseif(NOT arch IN_LIST listed)
    message(FATAL_ERROR "${CMAKE_CUDA_COMPILER} does not know sm_${arch} yet: use a newer CUDA toolkit")
  endif()
endforeach()

list(SORT wanted COMPARE NATURAL) # the last is the newest
list(TRANSFORM wanted APPEND -real OUTPUT_VARIABLE CMAKE_CUDA_ARCHITECTURES)
list(GET wanted -1 newest)
list(APPEND CMAKE_CUDA_ARCHITECTURES ${newest}-virtual)
message(STATUS "CUDA kernels for ${CMAKE_CUDA_ARCHITECTURES}")
enable_language(CUDA)
