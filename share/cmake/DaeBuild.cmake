# Compiler settings shared by every room.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_OPTIMIZE_DEPENDENCIES ON)  # a static library need not wait for those it uses
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(DAE_CCACHE ccache)
if(DAE_CCACHE)
  # ccache keeps quiet about precompiled headers unless it is told to trust their names and times.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${DAE_CCACHE}")
  add_compile_options(-fpch-preprocess)
endif()
find_program(DAE_MOLD mold)
if(DAE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(dae_flags INTERFACE)
target_compile_options(dae_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  # GCC 12 reports moves and copies inside std::string as out of bounds or overlapping (its bugs 105329, 105651).
  -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)

set(DAE_SANITIZE "" CACHE STRING "address;undefined | thread")
if(DAE_SANITIZE)
  list(JOIN DAE_SANITIZE "," dae_sanitizers)
  add_compile_options(-fsanitize=${dae_sanitizers} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${dae_sanitizers})
  # GCC 12 warns wrongly about uninitialised values once the sanitizers have rewritten the code.
  add_compile_options(-Wno-maybe-uninitialized)
  if(NOT DAE_SANITIZE STREQUAL "thread")
    add_compile_options(-fno-sanitize-recover=all)
  endif()
endif()
