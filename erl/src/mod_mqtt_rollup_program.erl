%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The program as a process of the operating system: started with pipes on its descriptors 3 and
%% 4, without a shell, and asked about its configuration in a run of its own.
-module(mod_mqtt_rollup_program).

-export([open/2, check/3, is_alive/1, kill/1]).

-include_lib("kernel/include/file.hrl").

-define(CHECK_TIMEOUT, 5000).

%% @doc Starts the program; the caller owns the port. `cd' is its working directory.
-spec open(file:filename_all(), [{cd, file:filename_all()}]) ->
    {ok, port(), OsPid :: non_neg_integer() | undefined} | {error, unicode:chardata()}.
open(Path, Options) ->
    make_executable(Path),
    Settings = [
        {packet, 4},
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
                {os_pid, OsPid} -> {ok, Port, OsPid};
                undefined -> {ok, Port, undefined}
            end
    catch
        error:Reason -> {error, open_error(Reason, Path)}
    end.

%% @doc Asks a fresh run of the program whether a configuration is right. It touches no file and no
%% network for that. Waits at most 5 seconds; never raises.
-spec check(file:filename_all(), mod_mqtt_rollup_config:rules(), [mod_mqtt_rollup_config:broker()]) ->
    ok | {error, [mod_mqtt_rollup_wire:failure()]} | {unavailable, unicode:chardata()}.
check(Path, Rules, Brokers) ->
    %% In a process of its own, so that no message of the port is left in the caller's mailbox.
    Caller = self(),
    Tag = make_ref(),
    {Pid, Monitor} = spawn_monitor(fun() -> Caller ! {Tag, run_check(Path, Rules, Brokers)} end),
    {ok, Killer} = timer:kill_after(?CHECK_TIMEOUT + 1000, Pid),
    receive
        {'DOWN', Monitor, process, Pid, Reason} ->
            _ = timer:cancel(Killer),
            receive
                {Tag, Result} -> Result
            after 0 -> {unavailable, io_lib:format("~P", [Reason, 10])}
            end
    end.

%% @doc Is a process of this number still there?
-spec is_alive(non_neg_integer() | undefined) -> boolean().
is_alive(undefined) ->
    false;
is_alive(OsPid) ->
    case file:read_file(["/proc/", integer_to_list(OsPid), "/stat"]) of
        {ok, Stat} ->
            %% A zombie has ended; it waits for erl_child_setup only.
            re:run(Stat, <<"\\) [ZX] ">>) =:= nomatch;
        {error, _} ->
            not filelib:is_dir("/proc/self") andalso
                string:trim(os:cmd("kill -0 " ++ integer_to_list(OsPid) ++ " 2>&1")) =:= ""
    end.

%% @doc The last resort.
-spec kill(non_neg_integer() | undefined) -> ok.
kill(undefined) ->
    ok;
kill(OsPid) ->
    _ = os:cmd("kill -9 " ++ integer_to_list(OsPid)),
    ok.

%%%===================================================================
%%% Internal functions
%%%===================================================================

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

-spec run_check(file:filename_all(), map(), [map()]) ->
    ok | {error, [mod_mqtt_rollup_wire:failure()]} | {unavailable, unicode:chardata()}.
run_check(Path, Rules, Brokers) ->
    case open(Path, []) of
        {ok, Port, OsPid} ->
            Until = erlang:monotonic_time(millisecond) + ?CHECK_TIMEOUT,
            Hello = {hello, #{protocol => mod_mqtt_rollup_wire:protocol(), vhost => <<>>}},
            Check = {check, 1, #{rules => Rules, brokers => Brokers}},
            Result =
                try
                    true = send(Port, Hello),
                    await_hello(Port, Until),
                    true = send(Port, Check),
                    await_checked(Port, Until)
                catch
                    throw:{unavailable, _} = Unavailable -> Unavailable;
                    error:_ -> {unavailable, "it closed the connection"}
                end,
            catch port_close(Port),
            _ = [kill_later(OsPid) || {unavailable, _} <- [Result]],
            Result;
        {error, Reason} ->
            {unavailable, Reason}
    end.

-spec send(port(), term()) -> boolean().
send(Port, Term) ->
    case mod_mqtt_rollup_wire:encode(Term) of
        {ok, Bin} -> port_command(Port, Bin);
        {error, too_large} -> throw({unavailable, "the configuration is too large"})
    end.

-spec await_hello(port(), integer()) -> ok.
await_hello(Port, Until) ->
    Ours = mod_mqtt_rollup_wire:protocol(),
    case next_frame(Port, Until) of
        {hello, #{protocol := Ours}} ->
            ok;
        {hello, #{protocol := Other}} ->
            throw({unavailable, io_lib:format("it speaks version ~b of the protocol", [Other])});
        _ ->
            await_hello(Port, Until)
    end.

-spec await_checked(port(), integer()) -> ok | {error, [mod_mqtt_rollup_wire:failure()]}.
await_checked(Port, Until) ->
    case next_frame(Port, Until) of
        {checked, 1, Result} -> Result;
        _ -> await_checked(Port, Until)
    end.

-spec next_frame(port(), integer()) -> mod_mqtt_rollup_wire:frame().
next_frame(Port, Until) ->
    receive
        {Port, {data, Bin}} ->
            case mod_mqtt_rollup_wire:decode(Bin) of
                {ok, Frame} -> Frame;
                {error, Reason} -> throw({unavailable, Reason})
            end;
        {Port, {exit_status, Status}} ->
            throw({unavailable, ["it ended: ", mod_mqtt_rollup_port_core:exit_text(Status)]})
    after max(0, Until - erlang:monotonic_time(millisecond)) ->
        throw({unavailable, "it does not answer within 5 s"})
    end.

%% A program that does not answer may not notice either that its input was closed.
-spec kill_later(non_neg_integer() | undefined) -> pid().
kill_later(OsPid) ->
    spawn(fun() ->
        timer:sleep(2000),
        case is_alive(OsPid) of
            true -> kill(OsPid);
            false -> ok
        end
    end).
