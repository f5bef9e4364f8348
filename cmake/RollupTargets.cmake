# Warnings and sanitizers as interface targets, and the shape of a folder: one static library each.

add_library(rollup_warnings INTERFACE)
target_compile_definitions(rollup_warnings INTERFACE _GLIBCXX_ASSERTIONS)
if(ROLLUP_DEVELOPER_MODE)
  target_compile_options(rollup_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wdouble-promotion -Wformat=2
    -Werror
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wduplicated-branches -Wlogical-op>)
endif()

add_library(rollup_sanitizers INTERFACE)
if(ROLLUP_SANITIZE)
  target_compile_options(rollup_sanitizers INTERFACE
    -fsanitize=${ROLLUP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # GCC's documentation says that sanitizers make this warning wrong.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(rollup_sanitizers INTERFACE -fsanitize=${ROLLUP_SANITIZE})
endif()
if(ROLLUP_FUZZ)
  target_compile_options(rollup_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()

# rollup_library(<folder> SOURCES <files> [LINKS <targets>]): the target rollup_<folder>.
# LINKS is the whole list of arrows out of the folder.
function(rollup_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(rollup_${folder} STATIC ${ARG_SOURCES})
  target_include_directories(rollup_${folder} PUBLIC "${PROJECT_SOURCE_DIR}/c_src")
  target_link_libraries(rollup_${folder} PUBLIC ${ARG_LINKS} rollup_sanitizers PRIVATE rollup_warnings)
  # Sums must not depend on whether the compiler fuses multiply and add.
  target_compile_options(rollup_${folder} PRIVATE -ffp-contract=off)
endfunction()
