# A room is a top-level folder: one static library `dae_<room>`, one namespace, one include root.
#
#   dae_allow(<room> [<room it may use>...])       states the legal edges, in one table in CMakeLists.txt
#   dae_room(<room> USES <rooms> LIBS <targets>)   declares the target; all *.cc below the folder belong to it
#
# The include root of a room holds a single link named after it, and is exported to those that link the room only.
# `#include "deployer/model.h"` from builder/ therefore finds no file: the compiler enforces the picture
# (tests/support/illegal_include.cmake proves it).

function(dae_allow room)
  set_property(GLOBAL PROPERTY "dae_allowed_${room}" "${ARGN}")
endfunction()

# Parsing the standard library and fmt is half of what a file costs: 340 s of CPU for the binary without this, 185 s with
# it (GCC 12). Files include what they use all the same; the `debug` preset builds without, and proves it.
function(dae_precompile target)
  target_precompile_headers(${target} PRIVATE <algorithm> <filesystem> <functional> <map> <memory> <optional> <set>
    <string> <string_view> <vector> <fmt/format.h> ${ARGN})
endfunction()

function(dae_room room)
  cmake_parse_arguments(ROOM "" "" "USES;LIBS" ${ARGN})
  get_property(allowed GLOBAL PROPERTY "dae_allowed_${room}")
  foreach(used IN LISTS ROOM_USES)
    if(NOT used IN_LIST allowed)
      message(FATAL_ERROR "room `${room}` may not use room `${used}` (allowed: ${allowed}); see ARCHITECTURE.md, Rooms")
    endif()
  endforeach()

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cc$")
  if(NOT sources)
    file(WRITE "${CMAKE_BINARY_DIR}/empty_${room}.cc" "// room ${room} has no source yet\n")
    set(sources "${CMAKE_BINARY_DIR}/empty_${room}.cc")
  endif()
  add_library(dae_${room} STATIC ${sources})

  set(root "${CMAKE_BINARY_DIR}/include-roots/${room}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${root}/${room}" SYMBOLIC)
  target_include_directories(dae_${room} PUBLIC "${root}")
  foreach(used IN LISTS ROOM_USES)
    target_link_libraries(dae_${room} PUBLIC dae_${used})
  endforeach()
  target_link_libraries(dae_${room} PRIVATE dae_flags ${ROOM_LIBS})
  dae_precompile(dae_${room})
endfunction()
