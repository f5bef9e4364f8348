%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The processes of one virtual host. A supervisor of their own, so that their restarts do not
%% use up those of all of ejabberd's modules.
-module(mod_mqtt_rollup_sup).

-behaviour(supervisor).

-export([start/1, stop/1, start_link/1]).
-export([init/1]).

%% Longer than the program may take to end.
-define(SHUTDOWN, 10000).

%% @doc Starts the processes of a virtual host below ejabberd's supervisor of modules.
-spec start(binary()) -> {ok, pid()} | {error, term()}.
start(VHost) ->
    Name = name(VHost),
    Spec = {Name, {?MODULE, start_link, [VHost]}, transient, infinity, supervisor, [?MODULE]},
    case supervisor:start_child(ejabberd_gen_mod_sup, Spec) of
        {ok, Pid} when is_pid(Pid) -> {ok, Pid};
        {error, Reason} -> {error, Reason}
    end.

-spec stop(binary()) -> ok | {error, term()}.
stop(VHost) ->
    gen_mod:stop_child(name(VHost)).

-spec start_link(binary()) -> supervisor:startlink_ret().
start_link(VHost) ->
    supervisor:start_link({local, name(VHost)}, ?MODULE, VHost).

-spec init(binary()) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(VHost) ->
    Children = [
        #{id => Module, start => {Module, start_link, [VHost]}, shutdown => ?SHUTDOWN}
     || Module <- [mod_mqtt_rollup_publisher, mod_mqtt_rollup_port, mod_mqtt_rollup_service]
    ],
    %% The program waits for answers about its publications: if the publisher crashes, the next run of
    %% the program sends them again.
    {ok, {#{strategy => rest_for_one, intensity => 10, period => 60}, Children}}.

-spec name(binary()) -> atom().
name(VHost) ->
    gen_mod:get_module_proc(VHost, ?MODULE).
