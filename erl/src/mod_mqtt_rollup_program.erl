%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The program as a process of the operating system: started with pipes on its descriptors 3 and
%% 4, without a shell, written to, and killed when nothing else helps.
-module(mod_mqtt_rollup_program).

-export([open/2, send/2, process/1, os_pid/1, is_alive/1, kill/1]).

-export_type([process/0]).

-include_lib("kernel/include/file.hrl").

-type process() :: none | {OsPid :: non_neg_integer(), Start :: binary() | unknown}.

%% @doc Starts the program; the caller owns the port. `cd' is its working directory.
-spec open(file:filename_all(), [{cd, file:filename_all()}]) ->
    {ok, port(), process()} | {error, unicode:chardata()}.
open(Path, Options) ->
    make_executable(Path),
    Settings = [
        stream,
        binary,
        exit_status,
        nouse_stdio,
        hide,
        {args, []},
        %% Else the program could speak to systemd in ejabberd's name.
        {env, [{"NOTIFY_SOCKET", false}]}
    ],
    try open_port({spawn_executable, Path}, Settings ++ Options) of
        Port ->
            case erlang:port_info(Port, os_pid) of
                {os_pid, OsPid} -> {ok, Port, process(OsPid)};
                undefined -> {ok, Port, none}
            end
    catch
        error:Reason -> {error, open_error(Reason, Path)}
    end.

%% @doc Gives a frame to a program, unless its pipe is full. To one that has just ended it is given too.
-spec send(port(), binary()) -> boolean().
send(Port, Bin) ->
    try
        erlang:port_command(Port, mod_mqtt_rollup_wire:framed(Bin), [nosuspend])
    catch
        %% Its exit is in the mailbox of its owner.
        error:badarg -> true
    end.

%% @doc A process by its number, which another one may get when it has ended: its start tells them apart.
-spec process(non_neg_integer() | undefined) -> process().
process(undefined) ->
    none;
process(OsPid) ->
    case stat(OsPid) of
        {_, Start} -> {OsPid, Start};
        none -> {OsPid, unknown}
    end.

-spec os_pid(process()) -> non_neg_integer() | undefined.
os_pid(none) -> undefined;
os_pid({OsPid, _}) -> OsPid.

%% @doc Is this process still there?
-spec is_alive(process()) -> boolean().
is_alive(none) ->
    false;
is_alive({OsPid, Start}) ->
    case stat(OsPid) of
        %% A zombie has ended; it waits for erl_child_setup only.
        {State, Start} ->
            State =/= <<"Z">> andalso State =/= <<"X">>;
        {_, _} ->
            false;
        none ->
            not filelib:is_dir("/proc/self") andalso
                string:trim(os:cmd("kill -0 " ++ integer_to_list(OsPid) ++ " 2>&1")) =:= ""
    end.

%% @doc The last resort.
-spec kill(process()) -> ok.
kill(Process) ->
    _ = [os:cmd("kill -9 " ++ integer_to_list(os_pid(Process))) || is_alive(Process)],
    ok.

%%%===================================================================
%%% Internal functions
%%%===================================================================

%% State and start of a process, the fields 3 and 22 of proc(5). The name before them may have anything in it.
-spec stat(non_neg_integer()) -> {State :: binary(), Start :: binary()} | none.
stat(OsPid) ->
    case file:read_file(["/proc/", integer_to_list(OsPid), "/stat"]) of
        {ok, Stat} ->
            {Name, 2} = lists:last(binary:matches(Stat, <<") ">>)),
            Fields = binary:split(binary:part(Stat, Name + 2, byte_size(Stat) - Name - 2), <<" ">>, [global]),
            {lists:nth(1, Fields), lists:nth(20, Fields)};
        {error, _} ->
            none
    end.

%% Installing as a contributed module copies the file without its execute bits.
-spec make_executable(file:filename_all()) -> ok.
make_executable(Path) ->
    case file:read_file_info(Path) of
        {ok, #file_info{type = regular, mode = Mode}} when Mode band 8#100 =:= 0 ->
            _ = file:change_mode(Path, 8#755),
            ok;
        _ ->
            ok
    end.

-spec open_error(term(), file:filename_all()) -> unicode:chardata().
open_error(enoent, Path) ->
    ["there is no program at ", path(Path), build_failure(Path)];
open_error(eacces, Path) ->
    [path(Path), " is not executable for ejabberd's user: see its mode, a mount option noexec, or AppArmor"];
open_error(Reason, Path) ->
    io_lib:format("cannot start ~ts: ~p", [path(Path), Reason]).

%% What the build of the installed module has left beside the program.
-spec build_failure(file:filename_all()) -> unicode:chardata().
build_failure(Path) ->
    Priv = filename:dirname(filename:dirname(Path)),
    case file:read_file(filename:join(Priv, "BUILD_FAILED")) of
        {ok, Text} when byte_size(Text) < 10000 ->
            case unicode:characters_to_binary(Text) of
                Text -> ["\n", string:trim(Text)];
                _ -> ""
            end;
        _ ->
            "; install the module with its program, or set the option 'program'"
    end.

-spec path(file:filename_all()) -> unicode:chardata().
path(Path) when is_binary(Path) -> unicode:characters_to_list(Path);
path(Path) -> Path.
