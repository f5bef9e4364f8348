%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Keeps the feed of a virtual host alive, beside the processes of the module, which it outlives. A
%% supervisor of its own, so that its restarts do not use up those of all of ejabberd's modules; it
%% ends with the feed.
-module(mod_mqtt_rollup_feed_sup).

-behaviour(supervisor).

-export([start/1, stop/1, check/1, start_link/1]).
-export([init/1]).

-include("logger.hrl").

%% The feed may have to write down all that is in memory.
-define(SHUTDOWN, 30000).
%% A feed that is just ending may be met this often.
-define(TRIES, 50).

%% @doc Starts the feed of a virtual host, or lets the one that is still there go on. Without a feed
%% the program of a module that uses it waits, but people can ask it for what it has: nothing that goes
%% wrong here is a reason not to start the module, and check/1 tries again.
-spec start(binary()) -> ok.
start(VHost) ->
    start(VHost, ?TRIES).

%% @doc Starts the feed again if it is gone, because it could not be started or has crashed too often for
%% its supervisor. Nobody has to wait for that: the supervisor that is asked may just be stopping them.
-spec check(binary()) -> ok.
check(VHost) ->
    mod_mqtt_rollup_sup:check(?MODULE, VHost, fun() ->
        ?WARNING_MSG("mod_mqtt_rollup at ~ts: the feed is gone; it is started again", [VHost]),
        start(VHost)
    end).

%% @doc Ends it at once.
-spec stop(binary()) -> ok | {error, term()}.
stop(VHost) ->
    mod_mqtt_rollup_sup:stop(?MODULE, VHost).

-spec start_link(binary()) -> supervisor:startlink_ret().
start_link(VHost) ->
    mod_mqtt_rollup_sup:start_link(?MODULE, VHost).

-spec init(binary()) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(VHost) ->
    Feed = #{
        id => feed,
        start => {mod_mqtt_rollup_feed, start_link, [VHost]},
        restart => transient,
        significant => true,
        shutdown => ?SHUTDOWN
    },
    {ok, {#{strategy => one_for_one, intensity => 10, period => 60, auto_shutdown => any_significant}, [Feed]}}.

-spec start(binary(), non_neg_integer()) -> ok.
start(VHost, 0) ->
    ?ERROR_MSG("mod_mqtt_rollup at ~ts: the feed cannot be started", [VHost]);
start(VHost, Tries) ->
    case mod_mqtt_rollup_sup:start(?MODULE, VHost) of
        {ok, _} ->
            ok;
        {error, {already_started, _}} ->
            adopt(VHost, Tries);
        {error, running} ->
            adopt(VHost, Tries);
        {error, Reason} ->
            ?ERROR_MSG("mod_mqtt_rollup at ~ts: the feed cannot be started: ~0P", [VHost, Reason, 20])
    end.

-spec adopt(binary(), pos_integer()) -> ok.
adopt(VHost, Tries) ->
    case mod_mqtt_rollup_feed:adopt(VHost) of
        ok ->
            ok;
        {error, unavailable} ->
            %% Its supervisor is about to end, or has none to supervise after a crash.
            _ = stop(VHost),
            timer:sleep(20),
            start(VHost, Tries - 1)
    end.
