# The toolchain of ARM (aarch64), by Debian's cross compiler: libraries from a system of that kind, DOPPEL_SYSROOT,
# which scripts/arm.sh makes, and programs run by qemu. ./dev test-arm uses it.
#
# CMake reads this file again for each of its own checks, which know what the environment has, not the cache.
if(DOPPEL_SYSROOT)
  set(ENV{DOPPEL_SYSROOT} ${DOPPEL_SYSROOT})
endif()
set(DOPPEL_SYSROOT $ENV{DOPPEL_SYSROOT} CACHE PATH "The system of scripts/arm.sh")
if(NOT IS_DIRECTORY "${DOPPEL_SYSROOT}/usr/include")
  message(FATAL_ERROR "DOPPEL_SYSROOT=\"${DOPPEL_SYSROOT}\" has no usr/include: \"sh scripts/arm.sh\" makes such a system")
endif()

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_SYSROOT ${DOPPEL_SYSROOT})
# What lies in these folders, as FAISS' C API does, is taken as it is.
set(CMAKE_FIND_ROOT_PATH ${DOPPEL_SYSROOT} ${FAISS_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${DOPPEL_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${DOPPEL_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${DOPPEL_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")

# QEMU_CPU in the environment of a test says which processor there is; without, one that has everything.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;${DOPPEL_SYSROOT})
