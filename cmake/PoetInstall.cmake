# cmake --install: the program, one library of all modules with its headers, what pkg-config and
# find_package need to link it, and the sample models.
include(CMakePackageConfigHelpers)

option(BUILD_SHARED_LIBS "Install a shared library instead of an archive" OFF)

add_library(poet_library)
target_include_directories(poet_library INTERFACE
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/pocketpoet>)
foreach(module base codec compute cuda datasets tokenizer generator eval)
  if(TARGET poet_${module})
    target_sources(poet_library PRIVATE $<TARGET_OBJECTS:poet_${module}>)
    get_target_property(headers poet_${module} HEADER_SET)
    target_sources(poet_library PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  endif()
endforeach()
target_link_libraries(poet_library PRIVATE PkgConfig::FFMPEG PkgConfig::ZSTD PkgConfig::JANSSON PNG::PNG
                                           OpenMP::OpenMP_C Threads::Threads poet::dnnl m ${CMAKE_DL_LIBS})
set_target_properties(poet_library PROPERTIES OUTPUT_NAME pocketpoet EXPORT_NAME pocketpoet LINKER_LANGUAGE C
                                              SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

install(TARGETS pocketpoet)
install(TARGETS poet_library EXPORT pocketpoetTargets
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pocketpoet)
install(FILES compute/ops.def DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pocketpoet/compute) # op.h reads it

# Paths from the .pc file, so that a prefix given at installation or a moved tree works.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${pc_dir}
           OUTPUT_VARIABLE POET_PC_TO_PREFIX)
# The archive needs its libraries at every link, the shared one brings them along.
set(POET_PC_PRIVATE "")
set(POET_PC_LIBRARIES " -ldnnl -fopenmp -pthread -lm")
if(BUILD_SHARED_LIBS)
  set(POET_PC_LIBRARIES "")
  set(POET_PC_PRIVATE ".private")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/pocketpoet.pc.in pocketpoet.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pocketpoet.pc DESTINATION ${pc_dir})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pocketpoet)
install(EXPORT pocketpoetTargets NAMESPACE pocketpoet:: DESTINATION ${package_dir})
write_basic_package_version_file(pocketpoetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/pocketpoetConfig.cmake ${CMAKE_CURRENT_LIST_DIR}/PoetDependencies.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/pocketpoetConfigVersion.cmake
        DESTINATION ${package_dir})

install(DIRECTORY samples/models DESTINATION ${CMAKE_INSTALL_DATADIR}/pocketpoet OPTIONAL)
