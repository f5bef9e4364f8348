%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The processes of one virtual host. A supervisor of their own, so that their restarts do not
%% use up those of all of ejabberd's modules.
-module(mod_mqtt_rollup_sup).

-behaviour(supervisor).

-export([start/1, start/2, check/1, check/3, stop/1, stop/2, start_link/1, start_link/2]).
-export([init/1]).

-include("logger.hrl").

%% Longer than the program may take to end.
-define(SHUTDOWN, 10000).

%% @doc Starts the processes of a virtual host.
-spec start(binary()) -> supervisor:startchild_ret().
start(VHost) ->
    start(?MODULE, VHost).

%% @doc Starts a supervisor of a virtual host below ejabberd's supervisor of modules.
-spec start(module(), binary()) -> supervisor:startchild_ret().
start(Module, VHost) ->
    Name = name(Module, VHost),
    Spec = {Name, {Module, start_link, [VHost]}, transient, infinity, supervisor, [Module]},
    case supervisor:start_child(ejabberd_gen_mod_sup, Spec) of
        %% It has ended by itself.
        {error, already_present} -> supervisor:restart_child(ejabberd_gen_mod_sup, Name);
        Started -> Started
    end.

%% @doc Starts the processes of a virtual host again if they have crashed too often for their supervisor,
%% which ends with them. Nobody has to wait for that: the supervisor that is asked may just be stopping
%% them.
-spec check(binary()) -> ok.
check(VHost) ->
    check(?MODULE, VHost, fun() ->
        ?WARNING_MSG(
            "mod_mqtt_rollup at ~ts: the processes of the module are gone; they are started again", [VHost]
        ),
        start_again(VHost)
    end).

%% @doc Calls `Start' in a process of its own if the supervisor is gone and the module is still there.
-spec check(module(), binary(), fun(() -> ok)) -> ok.
check(Module, VHost, Start) ->
    case whereis(name(Module, VHost)) of
        undefined ->
            _ = spawn(fun() -> gen_mod:is_loaded(VHost, mod_mqtt_rollup) andalso Start() end),
            ok;
        _ ->
            ok
    end.

-spec start_again(binary()) -> ok.
start_again(VHost) ->
    case start(VHost) of
        {ok, _} ->
            stop_unless_loaded(VHost);
        {error, {already_started, _}} ->
            ok;
        {error, running} ->
            ok;
        {error, Reason} ->
            ?ERROR_MSG("mod_mqtt_rollup at ~ts: they cannot be started: ~0P", [VHost, Reason, 20])
    end.

%% The module may have been stopped meanwhile.
-spec stop_unless_loaded(binary()) -> ok.
stop_unless_loaded(VHost) ->
    _ = gen_mod:is_loaded(VHost, mod_mqtt_rollup) orelse stop(VHost),
    ok.

-spec stop(binary()) -> ok | {error, term()}.
stop(VHost) ->
    stop(?MODULE, VHost).

-spec stop(module(), binary()) -> ok | {error, term()}.
stop(Module, VHost) ->
    gen_mod:stop_child(name(Module, VHost)).

-spec start_link(binary()) -> supervisor:startlink_ret().
start_link(VHost) ->
    start_link(?MODULE, VHost).

-spec start_link(module(), binary()) -> supervisor:startlink_ret().
start_link(Module, VHost) ->
    supervisor:start_link({local, name(Module, VHost)}, Module, VHost).

-spec init(binary()) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(VHost) ->
    Children = [
        #{id => Module, start => {Module, start_link, [VHost]}, shutdown => ?SHUTDOWN}
     || Module <- [mod_mqtt_rollup_publisher, mod_mqtt_rollup_notify, mod_mqtt_rollup_port, mod_mqtt_rollup_service]
    ],
    %% The program waits for answers about what it publishes and tells people: if one of the two that do so
    %% crashes, the next run of the program sends it again.
    {ok, {#{strategy => rest_for_one, intensity => 10, period => 60}, Children}}.

-spec name(module(), binary()) -> atom().
name(Module, VHost) ->
    gen_mod:get_module_proc(VHost, Module).
