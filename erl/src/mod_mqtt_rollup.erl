%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The ejabberd module: options, documentation, start, stop and reload. What it does is done
%% elsewhere: mod_mqtt_rollup_sup has the processes, mod_mqtt_rollup_options the validators.
-module(mod_mqtt_rollup).

-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_opt_type/1, mod_options/1, mod_doc/0]).
%% Called by ext_mod
-export([pre_uninstall/0]).

-include("translate.hrl").

%% A persistent term, from when the module is uninstalled until it starts again.
-define(UNINSTALLED, {?MODULE, uninstalled}).
-define(CHECK_TIMEOUT, 5000).

-spec start(binary(), gen_mod:opts()) -> {ok, pid()} | {error, term()}.
start(VHost, _Options) ->
    _ = is_uninstalled() andalso mod_mqtt_rollup_upgrade:finish(),
    _ = persistent_term:erase(?UNINSTALLED),
    Commands = mod_mqtt_rollup_commands:commands(),
    mod_mqtt_rollup_compat:register_commands(VHost, ?MODULE, Commands),
    mod_mqtt_rollup_feed_sup:start(VHost),
    mod_mqtt_rollup_sup:start(VHost).

%% @doc ejabberd also stops what has stopped before it was uninstalled; that must not load code again.
-spec stop(binary()) -> ok | {error, term()}.
stop(VHost) ->
    case is_uninstalled() of
        true -> ok;
        false -> stop_processes(VHost)
    end.

-spec is_uninstalled() -> boolean().
is_uninstalled() ->
    persistent_term:get(?UNINSTALLED, false).

-spec stop_processes(binary()) -> ok | {error, term()}.
stop_processes(VHost) ->
    Commands = mod_mqtt_rollup_commands:commands(),
    mod_mqtt_rollup_compat:unregister_commands(VHost, ?MODULE, Commands),
    %% The feed stays for a while: the module may be about to start again.
    _ = mod_mqtt_rollup_feed:linger(VHost),
    Stopped = mod_mqtt_rollup_sup:stop(VHost),
    %% From here on again: the program may have taken its time.
    _ = mod_mqtt_rollup_feed:linger(VHost),
    Stopped.

-spec reload(binary(), gen_mod:opts(), gen_mod:opts()) -> ok.
reload(VHost, NewOptions, _OldOptions) ->
    mod_mqtt_rollup_port:reload(VHost),
    mod_mqtt_rollup_service:reload(VHost, NewOptions).

%% @doc Besides naming the modules that should be there, this is where a configuration can be judged
%% as a whole before anything is started: what it throws becomes an error of the configuration. While
%% ejabberd starts the program is not asked: it may hang, and so would the start, for each virtual host.
%% It judges when the module runs.
-spec depends(binary(), gen_mod:opts()) -> [{module(), hard | soft}].
depends(VHost, Options) ->
    case problems(VHost, Options) of
        [] ->
            case mod_mqtt_rollup_config:uses_feed(Options) of
                true -> [{mod_mqtt, hard}];
                false -> [{mod_mqtt, soft}]
            end;
        Problems ->
            Text = ["\n", mod_mqtt_rollup_config:format_problems(Problems)],
            throw({gen_mod, {invalid_syntax, unicode:characters_to_list(Text)}})
    end.

-spec problems(binary(), gen_mod:opts()) -> [mod_mqtt_rollup_config:problem()].
problems(VHost, Options) ->
    case {mod_mqtt_rollup_config:problems(Options), mod_mqtt_rollup_compat:is_started()} of
        {[], true} -> ask_program(VHost, Options);
        {Problems, _} -> Problems
    end.

%% If it does not run, or hangs, it judges when it starts.
-spec ask_program(binary(), gen_mod:opts()) -> [mod_mqtt_rollup_config:problem()].
ask_program(VHost, Options) ->
    Check = #{
        rules => mod_mqtt_rollup_config:rules(Options),
        brokers => mod_mqtt_rollup_config:brokers(VHost, Options)
    },
    case mod_mqtt_rollup_port:request(VHost, {check, Check}, ?CHECK_TIMEOUT) of
        {error, Failures} when is_list(Failures) -> [{Place, Message} || {_, Place, Message} <- Failures];
        _ -> []
    end.

-spec mod_opt_type(atom()) -> econf:validator().
mod_opt_type(Option) ->
    mod_mqtt_rollup_options:validator(Option).

-spec mod_options(binary()) -> [{atom(), term()}].
mod_options(VHost) ->
    mod_mqtt_rollup_config:defaults(VHost).

%% @doc The first half of an upgrade, unless the module is to go for good.
-spec pre_uninstall() -> ok.
pre_uninstall() ->
    mod_mqtt_rollup_upgrade:prepare(),
    persistent_term:put(?UNINSTALLED, true).

-spec mod_doc() -> #{desc := [binary()], opts := [mod_mqtt_rollup_options:doc()], example := [string()]}.
mod_doc() ->
    #{
        desc => [
            ?T(
                "This module listens to MQTT topics, keeps the history of their values, publishes "
                "summaries of them on other topics and sends alerts as chat messages. It runs a program "
                "beside ejabberd, one for each virtual host."
            ),
            ?T(
                "Durations are written as '5 minutes', or short as '90s', '5m', '1h30m', '7d', '2w'. In a "
                "topic filter '{name}' matches one level and gives it a name, which can be used in "
                "templates beside the names that are listed with each; '{{' and '}}' are braces."
            )
        ],
        opts => mod_mqtt_rollup_options:docs(module),
        example => [
            "modules:",
            "  mod_mqtt: {}",
            "  mod_mqtt_rollup:",
            "    streams:",
            "      temperature:",
            "        topic: \"home/{room}/temperature\"",
            "        unit: \"°C\"",
            "    alerts:",
            "      too_warm:",
            "        stream: temperature",
            "        raise: \"value > 30\"",
            "        notify: [alice@example.org]"
        ]
    }.
