# Asks `erl` where erl_interface lives, as the OTP release may be anywhere.
find_program(ERL_EXECUTABLE erl)
if(ERL_EXECUTABLE AND NOT ErlangInterface_DIR)
  execute_process(
    COMMAND "${ERL_EXECUTABLE}" -noshell -noinput -eval
      "case code:lib_dir(erl_interface) of {error, _} -> ok; D -> io:put_chars(D) end, halt()."
    OUTPUT_VARIABLE _erl_interface_dir
    ERROR_QUIET)
endif()
find_path(ErlangInterface_INCLUDE_DIR ei.h HINTS "${_erl_interface_dir}/include")
find_library(ErlangInterface_LIBRARY ei HINTS "${_erl_interface_dir}/lib")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  ErlangInterface REQUIRED_VARS ErlangInterface_LIBRARY ErlangInterface_INCLUDE_DIR)
if(ErlangInterface_FOUND AND NOT TARGET Erlang::ei)
  add_library(Erlang::ei UNKNOWN IMPORTED)
  set_target_properties(Erlang::ei PROPERTIES
    IMPORTED_LOCATION "${ErlangInterface_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${ErlangInterface_INCLUDE_DIR}")
endif()
