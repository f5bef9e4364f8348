%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc What ejabberd's module_upgrade needs so that it loses no message and leaves no old code behind.
%% It uninstalls the module, builds the new one, which takes minutes, and installs and starts that;
%% of the code it only replaces the module mod_mqtt_rollup itself.
%%
%%   pre_uninstall -> prepare/0    the module stops; its feed goes on collecting, with the old code
%%   start         -> finish/0     the feed writes down what it has, and all that follows is new code
-module(mod_mqtt_rollup_upgrade).

-export([prepare/0, finish/0]).

-include("logger.hrl").

%% The code that the feed runs while it waits.
-define(FEED_CODE, [
    mod_mqtt_rollup_feed,
    mod_mqtt_rollup_feed_files,
    mod_mqtt_rollup_feed_hook,
    mod_mqtt_rollup_feed_queue,
    mod_mqtt_rollup_feed_sup,
    mod_mqtt_rollup_feed_watch,
    mod_mqtt_rollup_sup,
    mod_mqtt_rollup_timers
]).
-define(PREFIX, "mod_mqtt_rollup_").
%% A publisher may be within the hook, and would be killed with code that it runs.
-define(TRIES, 100).

%% @doc Stops the module at all virtual hosts. ejabberd is about to delete its files.
-spec prepare() -> ok.
prepare() ->
    VHosts = [VHost || VHost <- ejabberd_option:hosts(), gen_mod:is_loaded(VHost, mod_mqtt_rollup)],
    lists:foreach(fun(Module) -> {module, Module} = code:ensure_loaded(Module) end, ?FEED_CODE),
    lists:foreach(fun(VHost) -> gen_mod:stop_module(VHost, mod_mqtt_rollup) end, VHosts),
    lists:foreach(fun mod_mqtt_rollup_feed:await_upgrade/1, VHosts),
    lists:foreach(fun forget/1, loaded() -- ?FEED_CODE).

%% @doc The new version is about to start.
-spec finish() -> ok.
finish() ->
    lists:foreach(
        fun(VHost) ->
            _ = mod_mqtt_rollup_feed:hand_over(VHost),
            mod_mqtt_rollup_feed_sup:stop(VHost)
        end,
        ejabberd_option:hosts()
    ),
    lists:foreach(fun forget/1, ?FEED_CODE).

-spec loaded() -> [module()].
loaded() ->
    [Module || {Module, _} <- code:all_loaded(), lists:prefix(?PREFIX, atom_to_list(Module))].

%% The next call loads what is then in the path.
-spec forget(module()) -> ok.
forget(Module) ->
    _ = code:purge(Module),
    _ = code:delete(Module),
    purge(Module, ?TRIES).

%% Who calls this runs the code of this module.
-spec purge(module(), non_neg_integer()) -> ok.
purge(?MODULE, _) ->
    ok;
purge(Module, 0) ->
    ?WARNING_MSG("The old code of ~ts is still in use and is left to itself", [Module]);
purge(Module, Tries) ->
    case code:soft_purge(Module) of
        true ->
            ok;
        false ->
            timer:sleep(50),
            purge(Module, Tries - 1)
    end.
