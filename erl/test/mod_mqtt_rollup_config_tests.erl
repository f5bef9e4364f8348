%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_config_tests).

-include_lib("eunit/include/eunit.hrl").

%%% The options as they come out of YAML: plain texts are atoms, quoted ones are binaries.

the_smallest_stream_gets_every_default_test() ->
    #{streams := [{<<"temperature">>, Stream}]} = rules(#{streams => [{temperature, [{topic, <<"home/{room}/t">>}]}]}),
    ?assertEqual(
        #{
            topic => <<"home/{room}/t">>,
            broker => <<"ejabberd">>,
            qos => 1,
            format => auto,
            fields => [
                {<<>>, #{
                    value => <<>>,
                    unit => <<>>,
                    title => <<>>,
                    kind => gauge,
                    reset => zero,
                    scale => 1,
                    offset => 0,
                    valid => none
                }}
            ],
            time => <<>>,
            resolution_ms => 60000,
            hold_ms => auto,
            lateness_ms => 300000,
            keep => #{
                raw => 172800000, fine => 2592000000, hour => 157680000000, day => forever
            },
            publish => [
                #{
                    topic => <<"stats/{series}">>,
                    format => json,
                    window_ms => 3600000,
                    every_ms => 60000,
                    statistic => auto,
                    sparkline => none,
                    on => interval,
                    deadband => 0,
                    min_interval_ms => 0,
                    heartbeat_ms => 3600000,
                    retain => true,
                    qos => 1,
                    expiry_ms => 7200000,
                    broker => <<"ejabberd">>
                }
            ]
        },
        Stream
    ).

a_full_stream_keeps_what_was_written_test() ->
    #{streams := [{<<"air-1">>, Stream}]} = rules(#{
        streams => [
            {'air-1', [
                {topic, 'zigbee/+'},
                {broker, garden},
                {qos, 0},
                {format, json},
                {fields, [
                    {temperature, [{unit, <<"°C"/utf8>>}, {valid, [-40, 85.5]}]},
                    {battery, [{value, '/b/0'}, {scale, 0.01}, {offset, -5}, {title, 'Battery'}]}
                ]},
                {time, ts},
                {resolution, '10s'},
                {hold, '2 minutes'},
                {lateness, 0},
                {keep, [{raw, 0}, {fine, '1w'}, {day, '10y'}]},
                {publish, [
                    [
                        {topic, <<"s/{series}">>},
                        {format, text},
                        {window, '24h'},
                        {statistic, stddev},
                        {sparkline, [{points, 12}]},
                        {on, change},
                        {deadband, 0.5},
                        {retain, false},
                        {expiry, forever},
                        {broker, ejabberd}
                    ]
                ]}
            ]}
        ]
    }),
    ?assertMatch(
        #{
            broker := <<"garden">>,
            qos := 0,
            format := json,
            fields := [
                {<<"temperature">>, #{value := <<"/temperature">>, valid := {-40, 85.5}}},
                {<<"battery">>, #{value := <<"/b/0">>, scale := 0.01, offset := -5, title := <<"Battery">>}}
            ],
            time := <<"/ts">>,
            resolution_ms := 10000,
            hold_ms := 120000,
            lateness_ms := 0,
            keep := #{raw := 0, fine := 604800000, hour := 157680000000, day := 315360000000},
            publish := [
                #{
                    format := text,
                    window_ms := 86400000,
                    every_ms := 10000,
                    statistic := stddev,
                    sparkline := {86400000, 12},
                    on := change,
                    deadband := 0.5,
                    retain := false,
                    expiry_ms := forever,
                    broker := <<"ejabberd">>
                }
            ]
        },
        Stream
    ).

an_output_goes_to_the_broker_of_its_stream_test() ->
    #{streams := [{_, #{publish := [#{broker := Broker}]}}]} =
        rules(#{streams => [{t, [{topic, t}, {broker, garden}, {publish, [[{topic, x}]]}]}]}),
    ?assertEqual(<<"garden">>, Broker).

an_alert_gets_every_default_test() ->
    #{alerts := [{<<"warm">>, Alert}]} = rules(#{alerts => [{warm, [{stream, t}, {raise, <<"value > 30">>}]}]}),
    ?assertEqual(
        #{
            stream => <<"t">>,
            match => [],
            raise => <<"value > 30">>,
            clear => <<>>,
            for_ms => 0,
            clear_for_ms => 0,
            notify => [],
            message => <<>>,
            topic => <<"alerts/{alert}/{series}">>
        },
        Alert
    ).

an_alert_keeps_what_was_written_test() ->
    #{alerts := [{_, Alert}]} = rules(#{
        alerts => [
            {warm, [
                {stream, t},
                {match, [{room, 12}, {floor, <<"2nd">>}]},
                {raise, <<"value > 30">>},
                {clear, <<"value < 28">>},
                {for, '5m'},
                {clear_for, <<"10 minutes">>},
                {notify, 'Alice@Example.org'},
                {message, <<"{value}">>},
                {topic, none}
            ]}
        ]
    }),
    ?assertMatch(
        #{
            match := [{<<"floor">>, <<"2nd">>}, {<<"room">>, <<"12">>}],
            clear := <<"value < 28">>,
            for_ms := 300000,
            clear_for_ms := 600000,
            notify := [<<"Alice@Example.org">>],
            message := <<"{value}">>,
            topic := <<>>
        },
        Alert
    ).

limits_have_defaults_one_by_one_test() ->
    #{limits := Limits} = rules(#{limits => [{rows, 10}]}),
    ?assertMatch(#{rows := 10, series := 100000, payload := 262144, text := 4096}, Limits).

a_broker_gets_every_default_test() ->
    [#{password := Password}] = Brokers = brokers([{ejabberd, [{host, localhost}]}]),
    ?assertEqual(<<>>, Password()),
    ?assertEqual(
        [
            #{
                name => <<"ejabberd">>,
                link => client,
                host => <<"localhost">>,
                port => 1883,
                username => <<>>,
                password => Password,
                client_id => <<"mqtt_rollup-example.org">>,
                keepalive_ms => 60000,
                protocol => 5,
                session_expiry_ms => 3600000,
                tls => none
            }
        ],
        Brokers
    ).

the_own_broker_is_there_when_it_is_used_test() ->
    Own = #{name => <<"ejabberd">>, link => feed},
    Brokers = fun(Written) ->
        mod_mqtt_rollup_config:brokers(<<"example.org">>, options(Written))
    end,
    Streams = [{t, [{topic, a}]}],
    Elsewhere = [{t, [{topic, a}, {broker, garden}]}],
    ?assertEqual([Own], Brokers(#{streams => Streams})),
    ?assertEqual([Own], Brokers(#{streams => Streams, brokers => [{ejabberd, []}]})),
    Garden = [{garden, [{host, g}]}],
    ?assertMatch([Own, #{name := <<"garden">>, link := client}], Brokers(#{streams => Streams, brokers => Garden})),
    ?assertMatch([#{name := <<"garden">>}], Brokers(#{streams => Elsewhere, brokers => Garden})),
    ?assertEqual([], Brokers(#{})).

without_a_use_there_is_no_feed_test() ->
    ?assertEqual(none, feed(#{data_dir => <<"/data">>})).

tls_moves_the_default_port_test() ->
    [#{port := 8883, tls := Tls}] = brokers([{garden, [{host, <<"b.example">>}, {tls, true}]}]),
    ?assertEqual(#{ca_file => <<>>, cert_file => <<>>, key_file => <<>>, verify => true}, Tls),
    ?assertMatch([#{port := 8883}], brokers([{garden, [{host, b}, {tls, [{verify, false}]}]}])),
    ?assertMatch([#{port := 99}], brokers([{garden, [{host, b}, {port, 99}, {tls, true}]}])),
    ?assertMatch([#{port := 1883, tls := none}], brokers([{garden, [{host, b}, {tls, false}]}])).

a_protocol_can_be_written_in_every_way_of_yaml_test_() ->
    [
        ?_assertMatch([#{protocol := Expected}], brokers([{b, [{host, h}, {protocol, Written}]}]))
     || {Written, Expected} <- [
            {5, 5}, {5.0, 5}, {<<"5">>, 5}, {'5', 5}, {'3.1.1', 4}, {<<"3.1.1">>, 4}
        ]
    ].

a_time_zone_of_the_system_is_taken_test() ->
    ?assertMatch(#{timezone := <<"Europe/Berlin">>}, rules(#{timezone => 'Europe/Berlin'})).

%%% Refusals: the path of the option, what was expected, and a suggestion.

wrong_options_are_refused_with_their_path_test_() ->
    [
        ?_assertEqual(lists:flatten(Expected), refusal(Option, Value))
     || {Option, Value, Expected} <- [
            {streams, [{t, [{topik, x}]}],
                "Invalid value of option streams->t: Unknown option: topik. Did you mean topic? Available "
                "options are: broker, fields, format, hold, keep, kind, lateness, offset, publish, qos, reset, "
                "resolution, scale, time, title, topic, unit, valid, value"},
            {streams, [{t, [{unit, x}]}],
                "Invalid value of option streams->t: Missing required option: topic"},
            {streams, [{t, [{topic, 12}]}],
                "Invalid value of option streams->t->topic: Expected string, got integer instead"},
            {streams, [{t, [{topic, <<>>}]}],
                "Invalid value of option streams->t->topic: Empty string is not allowed"},
            {streams, [{t, [{topic, <<"a", 255>>}]}],
                "Invalid value of option streams->t->topic: Expected a text in UTF-8"},
            {streams, [{t, [{topic, <<"a", 0>>}]}],
                "Invalid value of option streams->t->topic: A text must not contain NUL"},
            {streams, [{<<"no name">>, [{topic, a}]}],
                "Invalid value of option streams: Expected a name of 1 to 64 letters (A-Z), digits, '_' and '-', "
                "got: no name"},
            {streams, [{t, [{topic, a}]}, {t, [{topic, b}]}],
                "Invalid value of option streams: Duplicated key: t"},
            {streams, [{t, [{topic, a}, {qos, 3}]}],
                "Invalid value of option streams->t->qos: Expected integer from 0 to 2, got: 3"},
            {streams, [{t, [{topic, a}, {format, jsn}]}],
                "Invalid value of option streams->t->format: Unexpected value: jsn. Did you mean json? Possible "
                "values are: auto, json, text"},
            {streams, [{t, [{topic, a}, {resolution, '7m'}]}],
                "Invalid value of option streams->t->resolution: Expected a part of an hour, such as 10s, 1m, 5m, "
                "15m or 1h; 7m does not divide 1h"},
            {streams, [{t, [{topic, a}, {resolution, '2h'}]}],
                "Invalid value of option streams->t->resolution: Expected a duration from 1s to 1h"},
            {streams, [{t, [{topic, a}, {resolution, soon}]}],
                "Invalid value of option streams->t->resolution: Expected a duration such as 90s, 5m, 1h30m, 7d "
                "or '5 minutes', got: soon"},
            {streams, [{t, [{topic, a}, {hold, [1]}]}],
                "Invalid value of option streams->t->hold: Expected a duration such as 90s, 5m, 1h30m, 7d "
                "or '5 minutes', got: a list"},
            {streams, [{t, [{topic, a}, {scale, '1,5'}]}],
                "Invalid value of option streams->t->scale: Expected number, got: 1,5"},
            {streams, [{t, [{topic, a}, {valid, [5, 1]}]}],
                "Invalid value of option streams->t->valid: The low end 5 is above the high end 1"},
            {streams, [{t, [{topic, a}, {valid, 5}]}],
                "Invalid value of option streams->t->valid: Expected two numbers, [low, high], got: 5"},
            {streams, [{t, [{topic, a}, {value, 'a/b'}]}],
                "Invalid value of option streams->t->value: Expected a JSON Pointer such as /sensors/0/temp, or the "
                "name of a member; did you mean /a/b?"},
            {streams, [{t, [{topic, a}, {unit, x}, {fields, [{f, []}]}]}],
                "Invalid value of option streams->t: unit belongs into each of the fields when there are fields"},
            {streams, [{t, [{topic, a}, {fields, []}]}],
                "Invalid value of option streams->t->fields: Empty list is not allowed"},
            {streams, [{t, [{topic, a}, {fields, [{f, [{kinds, counter}]}]}]}],
                "Invalid value of option streams->t->fields->f: Unknown option: kinds. Did you mean kind? Available "
                "options are: kind, offset, reset, scale, title, unit, valid, value"},
            {streams, [{t, [{topic, a}, {kind, meter}]}],
                "Invalid value of option streams->t->kind: Unexpected value: meter. Did you mean counter? Possible "
                "values are: counter, gauge"},
            {streams, [{t, [{topic, a}, {kind, counter}, {fields, [{f, []}]}]}],
                "Invalid value of option streams->t: kind belongs into each of the fields when there are fields"},
            {streams, [{t, [{topic, a}, {keep, [{week, '1w'}]}]}],
                "Invalid value of option streams->t->keep: Unknown option: week. Did you mean day? Available "
                "options are: day, fine, hour, raw"},
            {streams, [{t, [{topic, a}, {publish, [[{topic, x}], [{topic, y}, {window, x}]]}]}],
                "Invalid value of option streams->t->publish->2->window: Expected a duration such as 90s, 5m, 1h30m, "
                "7d or '5 minutes', got: x"},
            {streams, [{t, [{topic, a}, {publish, [[{format, json}]]}]}],
                "Invalid value of option streams->t->publish->1: Missing required option: topic"},
            {streams, [{t, [{topic, a}, {publish, [[{topic, x}, {statistic, median}]]}]}],
                "Invalid value of option streams->t->publish->1->statistic: Unexpected value: median. Did you mean "
                "mean? Possible values are: auto, avg, count, delta, first, increase, last, max, mean, min, rate, resets, "
                "stddev, sum"},
            {streams, [{t, [{topic, a}, {publish, [[{topic, x}, {deadband, -1}]]}]}],
                "Invalid value of option streams->t->publish->1->deadband: Expected number >= 0, got: -1"},
            {streams, [{t, [{topic, a}, {publish, [[{topic, x}, {sparkline, [{points, 1}]}]]}]}],
                "Invalid value of option streams->t->publish->1->sparkline->points: Expected integer from 2 to 500, "
                "got: 1"},
            {streams, home, "Invalid value of option streams: Expected map, got string instead"},
            {alerts, [{w, [{stream, t}]}],
                "Invalid value of option alerts->w: Missing required option: raise"},
            {alerts, [{w, [{stream, t}, {raise, r}, {notify, ['a@']}]}],
                "Invalid value of option alerts->w->notify->1: Invalid XMPP address: a@"},
            {alerts, [{w, [{stream, t}, {raise, r}, {notify, ['example.org']}]}],
                "Invalid value of option alerts->w->notify->1: Expected the address of a user, such as "
                "alice@example.org, got: example.org"},
            {alerts, [{w, [{stream, t}, {raise, r}, {levels, []}]}],
                "Invalid value of option alerts->w: Unknown option: levels. Did you mean clear? Available options "
                "are: clear, clear_for, for, match, message, notify, raise, stream, topic"},
            {brokers, [{b, [{host, h}, {port, 70000}]}],
                "Invalid value of option brokers->b->port: Expected integer from 1 to 65535, got: 70000"},
            {brokers, [{b, [{host, h}, {protocol, 3.1}]}],
                "Invalid value of option brokers->b->protocol: Expected 5 or 3.1.1, got: 3.1"},
            {brokers, [{b, [{host, h}, {tls, [{cert_file, <<"/etc/passwd">>}]}]}],
                "Invalid value of option brokers->b->tls: cert_file needs key_file"},
            {brokers, [{b, [{host, h}, {tls, [{ca_file, <<"/no/such/file">>}]}]}],
                "Invalid value of option brokers->b->tls->ca_file: Failed to read file '/no/such/file': no such file "
                "or directory"},
            {limits, [{rows, 0}], "Invalid value of option limits->rows: Expected integer from 1 to 50000, got: 0"},
            {durability, never,
                "Invalid value of option durability: Unexpected value: never. Did you mean full? Possible values "
                "are: full, normal"},
            {timezone, 'Mars/Olympus',
                "Invalid value of option timezone: Unknown time zone: Mars/Olympus. Expected a name such as "
                "Europe/Berlin or UTC"},
            {timezone, <<"../../etc/passwd">>,
                "Invalid value of option timezone: Unknown time zone: ../../etc/passwd. Expected a name such as "
                "Europe/Berlin or UTC"}
        ]
    ].

%%% What concerns several options.

a_broker_needs_a_host_test() ->
    ?assertEqual(
        <<"modules->mod_mqtt_rollup->brokers->b: Missing required option: host">>,
        problems(#{brokers => [{b, [{port, 1}]}]})
    ).

options_of_a_client_are_refused_for_the_own_broker_test() ->
    ?assertEqual(
        <<
            "modules->mod_mqtt_rollup->brokers->ejabberd->password: The broker 'ejabberd' without a host is this "
            "virtual host's own mod_mqtt, which is reached inside ejabberd and needs no account. Remove password, "
            "username, or add a host to reach it as an MQTT client"
        >>,
        problems(#{brokers => [{ejabberd, [{username, u}, {password, p}]}]})
    ).

an_unknown_broker_is_found_in_streams_and_outputs_test() ->
    Options = options(#{
        brokers => [{ejabberd, [{host, h}]}, {garden, [{host, g}]}],
        streams => [{t, [{topic, a}, {broker, gadren}]}, {u, [{topic, b}, {publish, [[{topic, c}, {broker, x}]]}]}]
    }),
    ?assertMatch(
        [{<<"streams->t->broker">>, _}, {<<"streams->u->publish->1->broker">>, _}],
        mod_mqtt_rollup_config:problems(Options)
    ),
    [{_, Message} | _] = mod_mqtt_rollup_config:problems(Options),
    ?assertEqual(
        <<"Unknown broker: gadren. Did you mean garden? The brokers are: ejabberd, garden">>,
        unicode:characters_to_binary(Message)
    ).

two_links_with_one_client_id_are_refused_test() ->
    Options = options(#{brokers => [{a, [{host, h}]}, {b, [{host, h}]}, {c, [{host, other}]}]}),
    ?assertMatch([{<<"brokers->b->client_id">>, _}], mod_mqtt_rollup_config:problems(Options)).

a_right_configuration_has_no_problems_test() ->
    Streams = [{t, [{topic, a}]}],
    ?assertEqual(<<>>, problems(#{brokers => [{ejabberd, [{host, h}]}], streams => Streams})),
    ?assertEqual(<<>>, problems(#{streams => Streams})).

%%% The in-node link.

the_feed_collects_what_the_streams_of_the_own_broker_want_test() ->
    Feed = feed(#{
        streams => [
            {a, [{topic, <<"home/{room}/t">>}]},
            {b, [{topic, <<"home/+/t">>}]},
            {c, [{topic, <<"{house}/#">>}, {broker, ejabberd}]},
            {d, [{topic, <<"a/{/}/{x">>}]},
            {e, [{topic, <<"other">>}, {broker, garden}]}
        ],
        data_dir => <<"/data">>,
        limits => [{payload, 10}, {queue_memory, 20}]
    }),
    ?assertEqual(
        #{
            filters => [<<"+/#">>, <<"a/{/}/{x">>, <<"home/+/t">>],
            dir => <<"/data/feed">>,
            memory => 20,
            disk => 1024 * 1024 * 1024,
            payload => 10
        },
        Feed
    ).

with_a_host_there_is_no_feed_test() ->
    ?assertEqual(none, feed(#{brokers => [{ejabberd, [{host, h}]}], data_dir => <<"/data">>})).

the_limits_of_the_feed_are_not_for_the_program_test() ->
    #{limits := Limits} = rules(#{limits => [{queue_disk, 1}]}),
    ?assertNot(maps:is_key(queue_disk, Limits)).

mod_mqtt_is_needed_if_a_stream_or_an_output_uses_the_feed_test_() ->
    Garden = {garden, [{host, g}]},
    Elsewhere = [{t, [{topic, a}, {broker, garden}]}],
    Output = [{t, [{topic, a}, {broker, garden}, {publish, [[{topic, b}, {broker, ejabberd}]]}]}],
    [
        ?_assertEqual(Expected, mod_mqtt_rollup_config:uses_feed(options(Written)))
     || {Expected, Written} <- [
            {false, #{}},
            {true, #{streams => [{t, [{topic, a}]}]}},
            {false, #{brokers => [Garden], streams => Elsewhere}},
            {true, #{brokers => [Garden], streams => Output}},
            {false, #{brokers => [Garden, {ejabberd, [{host, h}]}], streams => Output}}
        ]
    ].

every_option_has_a_default_and_a_validator_and_is_documented_test() ->
    Documented = [element(1, Doc) || Doc <- maps:get(opts, mod_mqtt_rollup:mod_doc())],
    Names = [Name || {Name, _} <- defaults()],
    ?assertEqual(lists:sort(Names), lists:sort(Documented)),
    [?assert(is_function(mod_mqtt_rollup:mod_opt_type(Name), 1)) || Name <- Names].

the_terms_fit_the_grammar_of_the_port_test() ->
    %% Whatever goes to the program has to be one of the few kinds of terms that it reads.
    Options = options(#{
        streams => [{t, [{topic, a}, {valid, [1, 2]}, {publish, [[{topic, b}, {sparkline, []}]]}]}],
        alerts => [{w, [{stream, t}, {raise, r}, {match, [{room, k}]}]}],
        brokers => [{ejabberd, [{host, h}, {tls, true}]}]
    }),
    ?assert(plain(mod_mqtt_rollup_config:rules(Options))),
    {ok, Bin} = mod_mqtt_rollup_wire:encode(
        {configure, 1, #{brokers => mod_mqtt_rollup_config:brokers(<<"example.org">>, Options)}}
    ),
    ?assert(plain(binary_to_term(Bin))).

a_password_is_a_fun_until_it_is_encoded_test() ->
    [#{password := Password}] = Brokers = brokers([{garden, [{host, h}, {password, 'pass-word'}]}]),
    ?assertEqual(<<"pass-word">>, Password()),
    ?assertEqual(nomatch, string:find(io_lib:format("~p", [Brokers]), "pass-word")),
    {ok, Bin} = mod_mqtt_rollup_wire:encode({configure, 1, #{brokers => Brokers}}),
    ?assertMatch({configure, 1, #{brokers := [#{password := <<"pass-word">>}]}}, binary_to_term(Bin)).

the_readme_has_the_options_of_the_table_test() ->
    {ok, Readme} = file:read_file(filename:join(root(), "ejabberd/README.md")),
    Expected = unicode:characters_to_binary(mod_mqtt_rollup_options_text:markdown()),
    Mark = <<"<!-- Made of the table in mod_mqtt_rollup_options.erl -->\n">>,
    [_, Made, _] = binary:split(Readme, Mark, [global]),
    File = "_build/options.md",
    Made =:= Expected orelse file:write_file(File, Expected),
    %% Else the list that belongs there is in this file.
    ?assertEqual({same, File}, {case Made of Expected -> same; _ -> differs end, File}).

root() ->
    filename:dirname(filename:dirname(proplists:get_value(source, ?MODULE:module_info(compile)))) ++ "/..".

%%% Helpers

plain(T) when is_integer(T); is_float(T); is_atom(T); is_binary(T) -> true;
plain(T) when is_list(T) -> lists:all(fun plain/1, T);
plain(T) when is_tuple(T) -> plain(tuple_to_list(T));
plain(T) when is_map(T) -> plain(maps:to_list(T));
plain(_) -> false.

%% ejabberd's own options are not there; its language is what matters of them.
defaults() ->
    ets:info(ejabberd_options) =/= undefined orelse ets:new(ejabberd_options, [named_table, public]),
    ets:insert(ejabberd_options, {{language, <<"example.org">>}, <<"en">>}),
    mod_mqtt_rollup_config:defaults(<<"example.org">>).

options(Written) ->
    maps:merge(
        maps:from_list(defaults()),
        maps:map(
            fun(Option, Value) ->
                {ok, [{Option, Valid}]} = validate(Option, Value),
                Valid
            end,
            Written
        )
    ).

feed(Written) ->
    mod_mqtt_rollup_config:feed(<<"example.org">>, options(Written)).

problems(Written) ->
    Problems = mod_mqtt_rollup_config:problems(options(Written)),
    unicode:characters_to_binary(mod_mqtt_rollup_config:format_problems(Problems)).

rules(Written) ->
    mod_mqtt_rollup_config:rules(options(Written)).

brokers(Written) ->
    mod_mqtt_rollup_config:brokers(<<"example.org">>, options(#{brokers => Written})).

validate(Option, Value) ->
    %% Errors of tests before must not leave their path behind.
    erase(yconf_ctx),
    {ok, _} = application:ensure_all_started(xmpp),
    econf:validate(econf:options(#{Option => mod_mqtt_rollup:mod_opt_type(Option)}), [{Option, Value}]).

refusal(Option, Value) ->
    {error, Reason, Path} = validate(Option, Value),
    lists:flatten(econf:format_error(Reason, Path)).
