%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The processes of one virtual host. A supervisor of their own, so that their restarts do not
%% use up those of all of ejabberd's modules.
-module(mod_mqtt_rollup_sup).

-behaviour(supervisor).

-export([start/1, start/2, stop/1, stop/2, start_link/1, start_link/2]).
-export([init/1]).

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
     || Module <- [mod_mqtt_rollup_publisher, mod_mqtt_rollup_port, mod_mqtt_rollup_service]
    ],
    %% The program waits for answers about its publications: if the publisher crashes, the next run of
    %% the program sends them again.
    {ok, {#{strategy => rest_for_one, intensity => 10, period => 60}, Children}}.

-spec name(module(), binary()) -> atom().
name(Module, VHost) ->
    gen_mod:get_module_proc(VHost, Module).
