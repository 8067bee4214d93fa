# Compiler settings, build types, and the two functions every folder uses: poet_module and poet_test.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # POSIX names: mmap, fsync, clock_gettime
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Dev keeps asserts (RelWithDebInfo would define NDEBUG).
set(CMAKE_C_FLAGS_DEV "-O2 -g")
set(CMAKE_CXX_FLAGS_DEV "-O2 -g")
set(CMAKE_CUDA_FLAGS_DEV "-O2 -g")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Dev, Debug or Release" FORCE)
endif()

# Contractions would make sums depend on how the compiler schedules them; kernels ask for FMA by name.
set(warnings -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion)
add_compile_options(
  "$<$<COMPILE_LANGUAGE:C>:${warnings};-Wpedantic;-Wstrict-prototypes;-Wmissing-prototypes;-Wvla;-Wformat=2;-ffp-contract=off>"
  "$<$<COMPILE_LANGUAGE:CXX>:${warnings};-ffp-contract=off>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra;--Werror;all-warnings>")
add_compile_definitions($<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE>)
if(POET_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
if(POET_SANITIZE)
  add_compile_options(
    "$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${POET_SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer>")
  add_link_options(-fsanitize=${POET_SANITIZE})
endif()

# poet_module(NAME SOURCES ... HEADERS ... [USES modules] [LIBRARIES imported targets])
# A static library poet_NAME; HEADERS are its public ones, installed and checked to compile alone.
function(poet_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;USES;LIBRARIES" ${ARGN})
  add_library(poet_${name} STATIC ${arg_SOURCES})
  target_sources(poet_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}
                                     FILES ${arg_HEADERS})
  set_target_properties(poet_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_include_directories(poet_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  list(TRANSFORM arg_USES PREPEND poet_)
  target_link_libraries(poet_${name} PUBLIC ${arg_USES} PRIVATE ${arg_LIBRARIES})
endfunction()

# poet_test(KIND.MODULE.CASE SOURCES ... USES modules [LIBRARIES ...] [ARGS ...])
# One executable, one ctest entry labelled KIND. Exit status 77 is a visible skip.
function(poet_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;USES;LIBRARIES;ARGS" ${ARGN})
  string(REPLACE "." "_" target test_${name})
  string(REGEX REPLACE "\\..*" "" kind ${name})
  add_executable(${target} ${arg_SOURCES})
  list(TRANSFORM arg_USES PREPEND poet_)
  target_link_libraries(${target} PRIVATE ${arg_USES} ${arg_LIBRARIES} m)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  add_test(NAME ${name} COMMAND ${target} ${arg_ARGS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600) # for a hang, not for slowness: sanitizers and busy machines are slow
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${kind} SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT}
                                          ENVIRONMENT OMP_WAIT_POLICY=passive) # tests run side by side
endfunction()
