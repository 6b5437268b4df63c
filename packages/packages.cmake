# What `cpack` makes of an installation: Debian packages (-G DEB) and a tarball for any system (-G TGZ).
# tests/packages.sh builds both and tries them.
#
# The component "programs" is what people run, with manual pages, completions and the schedulers;
# "development" is the CMake package. Each is a Debian package; the tarball has both.
set(CPACK_PACKAGE_NAME ktstr)
set(CPACK_PACKAGE_VENDOR ktstr)
set(CPACK_PACKAGE_CONTACT "ktstr maintainers <maintainers@ktstr.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_SYSTEM_NAME linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
foreach(name archive edit lzo2 snappy)
  find_library(KTSTR_LOADED_${name} ${name} REQUIRED)
  list(APPEND CPACK_KTSTR_LOADED_LIBRARIES ${KTSTR_LOADED_${name}})
endforeach()
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/finish.cmake)
set(CPACK_COMPONENTS_ALL programs development)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME ktstr)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION devel)
# What is loaded by name (libcore/base/shared_library.h) is not found among what is linked.
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_DEPENDS
  "libarchive13 | libarchive13t64, libedit2, liblzo2-2, libsnappy1v5")
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_RECOMMENDS qemu-system-x86)
set(CPACK_COMPONENT_PROGRAMS_DESCRIPTION
"ktstr freezes a running Linux guest, keeps the whole frozen machine in one
compressed file, and answers questions about it afterwards: for people
who write and test process schedulers, sched_ext above all.")
# What somebody who links our static libraries needs: ktstrConfig.cmake looks for these.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libktstr-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEVELOPMENT_DEPENDS programs)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "pkg-config, libzstd-dev, libbpf-dev, libelf-dev, \
liblzo2-dev, libsnappy-dev, libarchive-dev, zlib1g-dev, \
libsqlite3-dev, libtomlplusplus-dev, libcapstone-dev, libxxhash-dev, libfmt-dev, libexpected-dev, \
nlohmann-json3-dev, libpugixml-dev, libgtest-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
"These files are for tests of schedulers in C++: a GoogleTest fixture that
boots a Linux guest, freezes it and looks at its kernel, as the CMake
package ktstr.")

include(CPack)
