# dae_lazy_library(<name> <pkg-config name> <symbol prefix regex>)   makes the target DaeLazy::<name>
#
# A shared library that is loaded when one of its functions is first called. libcurl, libarchive and libgit2 bring some
# forty other libraries with them; relocating these costs 5 ms in each process, more than a `dae install` that finds
# nothing to do may take, and most commands use none of the three.
#
# The target holds the library's include folders and, instead of the library, one jump per exported function. A jump goes
# through a table whose entries first lead to a resolver, which loads the library and puts the address in.
# Elsewhere than on x86-64 the target is the library itself.
function(dae_lazy_library name package prefix)
  add_library(DaeLazy::${name} INTERFACE IMPORTED GLOBAL)
  if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    target_link_libraries(DaeLazy::${name} INTERFACE PkgConfig::${package})
    return()
  endif()
  find_library(DAE_LAZY_${name} NAMES "lib${name}.so" HINTS ${${package}_LIBRARY_DIRS} REQUIRED)
  execute_process(COMMAND "${CMAKE_NM}" -D --defined-only "${DAE_LAZY_${name}}" OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${CMAKE_READELF}" -d "${DAE_LAZY_${name}}" OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
  if(NOT dynamic MATCHES "soname: \\[([^]]+)\\]")
    message(FATAL_ERROR "${DAE_LAZY_${name}} has no soname")
  endif()
  set(soname "${CMAKE_MATCH_1}")
  string(REGEX MATCHALL " T ${prefix}[A-Za-z0-9_]*" symbols "${listing}")

  set(jumps "")
  set(stubs "")
  set(table "")
  set(names "")
  set(index 0)
  foreach(symbol IN LISTS symbols)
    string(SUBSTRING "${symbol}" 3 -1 symbol)
    string(APPEND jumps "  \".globl ${symbol}; .hidden ${symbol}; .type ${symbol}, @function; ${symbol}: jmp *(lazy_${name}_table + 8 * ${index})(%rip)\\n\"\n")
    string(APPEND stubs "  \"lazy_${name}_${index}: pushq $${index}; jmp lazy_${name}_enter\\n\"\n")
    string(APPEND table "  \".quad lazy_${name}_${index}\\n\"\n")
    string(APPEND names "  \"${symbol}\",\n")
    math(EXPR index "${index} + 1")
  endforeach()
  configure_file("${CMAKE_SOURCE_DIR}/share/cmake/lazy_library.cc.in" "${CMAKE_BINARY_DIR}/lazy/${name}.cc" @ONLY)
  add_library(dae_lazy_${name} STATIC "${CMAKE_BINARY_DIR}/lazy/${name}.cc")
  target_link_libraries(dae_lazy_${name} PRIVATE ${CMAKE_DL_LIBS})
  target_link_libraries(DaeLazy::${name} INTERFACE dae_lazy_${name})
  target_include_directories(DaeLazy::${name} SYSTEM INTERFACE ${${package}_INCLUDE_DIRS})
endfunction()
