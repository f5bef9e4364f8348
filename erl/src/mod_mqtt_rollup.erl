%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The ejabberd module: options, documentation, start, stop and reload. What it does is done
%% elsewhere: mod_mqtt_rollup_sup has the processes, mod_mqtt_rollup_options the validators.
-module(mod_mqtt_rollup).

-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_opt_type/1, mod_options/1, mod_doc/0]).
%% Called by ext_mod
-export([pre_uninstall/0]).

-include("logger.hrl").
-include("translate.hrl").

%% A persistent term, from when the module is uninstalled until it starts again.
-define(UNINSTALLED, {?MODULE, uninstalled}).

-type doc() ::
    {atom(), #{value := string() | binary(), desc := binary()}}
    | {atom(), #{value := string() | binary(), desc := binary()}, [doc()]}.

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

%% Without the program ejabberd must start all the same.
-spec ask_program(binary(), gen_mod:opts()) -> [mod_mqtt_rollup_config:problem()].
ask_program(VHost, Options) ->
    Program = mod_mqtt_rollup_config:program(Options),
    Rules = mod_mqtt_rollup_config:rules(Options),
    case mod_mqtt_rollup_program:check(Program, Rules, mod_mqtt_rollup_config:brokers(VHost, Options)) of
        ok ->
            [];
        {error, Failures} ->
            [{Place, Message} || {_, Place, Message} <- Failures];
        {unavailable, Reason} ->
            ?WARNING_MSG(
                "mod_mqtt_rollup at ~ts: the configuration could not be checked by the program: ~ts",
                [VHost, Reason]
            ),
            []
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

-spec mod_doc() -> #{desc := [binary()], opts := [doc()], example := [string()]}.
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
        opts => options_doc(),
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

-spec options_doc() -> [doc()].
options_doc() ->
    [
        {host, #{value => ?T("Host"), desc => ?T(
            "The XMPP address of the service. The default is the virtual host with 'rollup.' before it.")}},
        {name, #{value => ?T("Name"), desc => ?T(
            "The name of the service in discovery. The default is 'Rollup'.")}},
        {access, #{value => ?T("AccessName"), desc => ?T(
            "Who may use the ad-hoc commands. Everybody sees only series of topics that mod_mqtt would let "
            "them subscribe to. The default is 'local'.")}},
        {access_admin, #{value => ?T("AccessName"), desc => ?T(
            "Who may use the ad-hoc commands and see every series though mod_mqtt does not know them: "
            "people of other hosts, or everybody where mod_mqtt is not loaded. The default is 'configure'.")}},
        {program, #{value => ?T("Path"), desc => ?T(
            "The program. The default is 'priv/bin/mqtt_rollup' beside the code of the module.")}},
        {data_dir, #{value => ?T("Path"), desc => ?T(
            "Where the history is kept. The default is a directory of the virtual host below 'mqtt_rollup' "
            "in the directory of ejabberd's database. ejabberd's backups do not contain it.")}},
        {timezone, #{value => ?T("Name"), desc => ?T(
            "The time zone of days, such as 'Europe/Berlin'. The default is the machine's.")}},
        {language, #{value => ?T("Language"), desc => ?T(
            "The language of texts, 'en' or 'de'. The default is ejabberd's option 'language'.")}},
        {durability, #{value => "normal | full", desc => ?T(
            "With 'normal' a crash of the machine may lose the last moments of the history, with 'full' it "
            "does not, and writing is slower. A crash of the program loses nothing in either. The default "
            "is 'normal'.")}},
        {limits, #{value => "{Limit: Number}", desc => ?T(
            "Bounds for what devices and people can make the program do: 'series', 'series_per_stream', "
            "'payload' (bytes in), 'text' (bytes out), 'json_depth', 'rows' (of an answer), "
            "'alerts_per_rule'. 'queue_memory' and 'queue_disk' are the bytes of messages that wait while the "
            "program is away; the defaults are 64 MiB and 1 GiB.")}},
        {brokers, #{value => "{Name: Options}", desc => ?T(
                "The MQTT brokers. The one named 'ejabberd' is always there and used by streams that name none: "
                "it is 'mod_mqtt' of the virtual host, reached inside ejabberd without an account. Only if it is "
                "given a 'host' is it reached as an MQTT client, as all others are.")},
            [
                {host, #{value => ?T("Host"), desc => ?T(
                    "Name or address, or the path of a unix socket. Required, except for 'ejabberd'.")}},
                {port, #{value => "1..65535", desc => ?T("The default is 1883, with 'tls' 8883.")}},
                {username, #{value => ?T("Name"), desc => ?T("At ejabberd, a JID of an account.")}},
                {password, #{value => ?T("Password"), desc => ?T("Its password.")}},
                {client_id, #{value => ?T("Id"), desc => ?T(
                    "The default is 'mqtt_rollup-' and the virtual host.")}},
                {keepalive, #{value => ?T("Duration"), desc => ?T("The default is '60s'.")}},
                {protocol, #{value => "5 | 3.1.1", desc => ?T("The default is '5'.")}},
                {session_expiry, #{value => ?T("Duration"), desc => ?T(
                    "How long the broker keeps messages while the program is away. The default is '1h'.")}},
                {tls, #{value => "true | {ca_file: Path, cert_file: Path, key_file: Path, verify: true | false}",
                    desc => ?T("Use TLS. The default is 'false'.")}}
            ]},
        {streams, #{value => "{Name: Options}", desc => ?T("Where values come from.")},
            [
                {topic, #{value => ?T("TopicFilter"), desc => ?T("Required.")}},
                {broker, #{value => ?T("Name"), desc => ?T("The default is 'ejabberd'.")}},
                {qos, #{value => "0 | 1 | 2", desc => ?T("The default is '1'.")}},
                {format, #{value => "auto | json | text", desc => ?T(
                    "How payloads are read. The default is 'auto'.")}},
                {value, #{value => ?T("JSON Pointer"), desc => ?T(
                    "Where the value is. The default is the whole payload.")}},
                {fields, #{value => "{Name: Options}", desc => ?T(
                    "Several values of one payload, each with 'value', 'unit', 'title', 'scale', 'offset', 'valid'. "
                    "'value' is the member of the field's name unless given.")}},
                {time, #{value => ?T("JSON Pointer"), desc => ?T(
                    "Where the time is. The default is the time of arrival.")}},
                {unit, #{value => ?T("Text"), desc => ?T("The unit of the values.")}},
                {title, #{value => ?T("Text"), desc => ?T("What people call it.")}},
                {scale, #{value => ?T("Number"), desc => ?T(
                    "Values are multiplied by this. The default is '1'.")}},
                {offset, #{value => ?T("Number"), desc => ?T(
                    "And this is added. The default is '0'.")}},
                {valid, #{value => "[Low, High]", desc => ?T("Values outside are dropped.")}},
                {resolution, #{value => ?T("Duration"), desc => ?T(
                    "The finest intervals, a part of an hour. The default is '1m'.")}},
                {hold, #{value => "auto | Duration", desc => ?T(
                    "How long a value counts as still true. The default is 'auto'.")}},
                {lateness, #{value => ?T("Duration"), desc => ?T(
                    "How late a value may come. The default is '5m'.")}},
                {keep, #{value => "{raw: Duration, fine: Duration, hour: Duration, day: Duration}", desc => ?T(
                    "How long the history is kept, or 'forever'. The default is '{raw: 2d, fine: 30d, hour: 5y, "
                    "day: forever}'.")}},
                {publish, #{value => "[Options]", desc => ?T(
                    "The topics that are published from each series, each with 'topic' (a template with '{topic}', "
                    "'{series}', '{stream}', '{field}', '{unit}'), 'format' (json, number, "
                    "text, protobuf), 'window' (1h), 'every' (the resolution), 'aggregate' (avg), 'sparkline' "
                    "({span: 24h, points: 24}), 'on' (interval, change, close), 'deadband', 'min_interval', "
                    "'heartbeat' (1h), 'retain' (true), 'qos' (1), 'expiry' (twice the window), 'broker'. The "
                    "default is one in JSON on 'stats/{series}'.")}}
            ]},
        {alerts, #{value => "{Name: Options}", desc => ?T("What people want to be told.")},
            [
                {stream, #{value => ?T("Name"), desc => ?T("Required.")}},
                {match, #{value => "{Name: Text, topic: TopicFilter, field: Name}", desc => ?T(
                    "Only series with these levels of their topic, as '{room: kitchen}', whose topic matches "
                    "this filter, and of this field of the stream.")}},
                {raise, #{value => ?T("Condition"), desc => ?T(
                    "When the alarm begins, such as 'avg(5m) > 8'. Required.")}},
                {clear, #{value => ?T("Condition"), desc => ?T(
                    "When it ends. The default is when 'raise' is false.")}},
                {for, #{value => ?T("Duration"), desc => ?T(
                    "How long 'raise' must hold. The default is '0'.")}},
                {clear_for, #{value => ?T("Duration"), desc => ?T(
                    "How long 'clear' must hold. The default is '0'.")}},
                {notify, #{value => "[JID]", desc => ?T(
                    "Who gets a message. People of the virtual host must be allowed to subscribe to the topic of the "
                    "series; people of other hosts, and everybody where mod_mqtt is not loaded, are not checked.")}},
                {message, #{value => ?T("Template"), desc => ?T(
                    "Its text, with '{alert}', '{topic}', '{series}', '{stream}', '{field}', '{unit}', '{value}', "
                    "'{limit}' (the condition), '{severity}', '{since}'. The default names value, condition and "
                    "time.")}},
                {topic, #{value => "Template | none", desc => ?T(
                    "Where the state is published, with '{alert}', '{topic}', '{series}', '{stream}', '{field}'. "
                    "The default is 'alerts/{alert}/{series}'.")}}
            ]}
    ].
