%% SPDX-License-Identifier: GPL-2.0-or-later

%% The owner of the port with the real program, whose path is in the environment variable
%% MQTT_ROLLUP_PROGRAM. Without it only what concerns a missing program is tested.
-module(mod_mqtt_rollup_port_tests).

-include_lib("eunit/include/eunit.hrl").
-include_lib("kernel/include/file.hrl").

-define(HOST, <<"example.org">>).

with_the_program_test_() ->
    case os:getenv("MQTT_ROLLUP_PROGRAM") of
        Path when is_list(Path), Path =/= "" ->
            {foreach, fun() -> start(#{program => list_to_binary(Path)}) end, fun stop/1, [
                fun it_answers_questions/1,
                fun it_comes_back_after_a_kill/1,
                fun a_refused_reload_leaves_it_running/1,
                fun another_data_dir_restarts_it/1,
                fun the_own_broker_without_an_account_restarts_it/1,
                fun stopping_ends_the_program/1,
                fun a_second_program_does_not_get_the_history/1,
                fun a_configuration_can_be_checked/1
            ]};
        _ ->
            io:format(user, "~nSKIPPED: tests with the program; set MQTT_ROLLUP_PROGRAM to its path~n", []),
            []
    end.

without_the_program_test_() ->
    {foreach, fun() -> start(#{program => <<"/nonexistent/mqtt_rollup">>}) end, fun stop/1, [
        fun(_) ->
            {"a missing program is no reason to end", fun() ->
                ?assertMatch({error, {unavailable, _, _}}, mod_mqtt_rollup_port:request(?HOST, status, 1000)),
                {ok, #{phase := down, problem := Problem}} = mod_mqtt_rollup_port:info(?HOST),
                ?assertNotEqual(nomatch, binary:match(Problem, <<"there is no program at /nonexistent">>))
            end}
        end,
        fun(#{server := Server}) ->
            {"passwords are not shown", fun() ->
                Shown = io_lib:format("~p", [sys:get_status(Server)]),
                ?assertEqual(nomatch, string:find(Shown, "secret"))
            end}
        end,
        fun(#{options := Options}) ->
            {"passwords are not in what a supervisor is told of a crash", fun() ->
                load(<<"second.example">>, Options),
                {ok, Server} = mod_mqtt_rollup_port:start_link(<<"second.example">>),
                unlink(Server),
                Monitor = monitor(process, Server),
                %% The options instead of the core, which is the argument of the call that fails.
                _ = sys:replace_state(Server, fun(State) -> {owner, setelement(4, element(2, State), element(3, element(2, State)))} end),
                ?assertEqual({error, unavailable}, mod_mqtt_rollup_port:info(<<"second.example">>)),
                receive
                    {'DOWN', Monitor, process, Server, Reason} ->
                        ?assertMatch({function_clause, _}, Reason),
                        ?assertEqual(nomatch, string:find(io_lib:format("~p", [Reason]), "secret"))
                end
            end}
        end,
        fun(_) ->
            {"nobody to ask is an answer", fun() ->
                ?assertMatch({error, {unavailable, _, _}}, mod_mqtt_rollup_port:request(<<"other">>, status, 1000))
            end}
        end
    ]}.

it_answers_questions(_) ->
    {"it answers questions", fun() ->
        running(),
        {ok, Status} = mod_mqtt_rollup_port:request(?HOST, status, 5000),
        ?assertMatch(#{received := 0, series := 0, streams := [#{name := <<"t">>}]}, Status),
        Key = {<<"t">>, <<"ejabberd">>, <<"home/t">>, <<>>},
        Names = #{filter => <<>>, match => part, 'after' => Key, max => 10},
        ?assertMatch(
            {ok, #{names := [], more := false}}, mod_mqtt_rollup_port:request(?HOST, {names, Names}, 5000)
        ),
        ?assertMatch({ok, #{rows := []}}, mod_mqtt_rollup_port:request(?HOST, {series, [Key]}, 5000)),
        ?assertMatch(
            {ok, #{rows := [], next := <<>>}},
            mod_mqtt_rollup_query:ask(?HOST, everything, {series, #{filter => <<>>, 'after' => <<>>, max => 10}})
        ),
        ?assertMatch(
            {error, {not_found, <<"series">>, _}},
            mod_mqtt_rollup_query:ask(?HOST, everything, history(<<"home/t">>))
        )
    end}.

it_comes_back_after_a_kill(_) ->
    {timeout, 30,
        {"it comes back after a kill", fun() ->
            #{os_pid := First} = running(),
            ok = mod_mqtt_rollup_program:kill(mod_mqtt_rollup_program:process(First)),
            #{os_pid := Second, restarts := 1} = until(fun
                (#{phase := running, os_pid := Pid}) -> Pid =/= First;
                (_) -> false
            end),
            ?assertNotEqual(First, Second)
        end}}.

a_refused_reload_leaves_it_running(#{options := Options}) ->
    {"a refused reload leaves it running", fun() ->
        #{os_pid := Pid} = running(),
        Alert = #{stream => <<"nothing">>, raise => <<"value > 1">>},
        load(?HOST, Options#{alerts := [{<<"a">>, Alert}]}),
        mod_mqtt_rollup_port:reload(?HOST),
        %% Answers come in the order of questions: the reload is over with this one.
        {ok, #{alerts := 0}} = mod_mqtt_rollup_port:request(?HOST, status, 5000),
        ?assertMatch({ok, #{phase := running, os_pid := Pid, restarts := 0}}, mod_mqtt_rollup_port:info(?HOST))
    end}.

another_data_dir_restarts_it(#{options := Options, dir := Dir}) ->
    {"another data_dir restarts it", fun() ->
        #{os_pid := OsPid} = running(),
        First = mod_mqtt_rollup_program:process(OsPid),
        Other = filename:join(Dir, "other"),
        load(?HOST, Options#{data_dir := list_to_binary(Other)}),
        mod_mqtt_rollup_port:reload(?HOST),
        until(fun
            (#{phase := running, os_pid := Pid}) -> Pid =/= OsPid;
            (_) -> false
        end),
        ?assertNot(mod_mqtt_rollup_program:is_alive(First)),
        {ok, #file_info{mode = Mode}} = file:read_file_info(Other),
        ?assertEqual(8#700, Mode band 8#777)
    end}.

the_own_broker_without_an_account_restarts_it(#{options := Options}) ->
    {"the own broker without an account restarts it", fun() ->
        #{os_pid := First} = running(),
        load(?HOST, Options#{brokers := []}),
        mod_mqtt_rollup_port:reload(?HOST),
        until(fun
            (#{phase := running, os_pid := Pid}) -> Pid =/= First;
            (_) -> false
        end)
    end}.

stopping_ends_the_program(#{server := Server}) ->
    {"stopping ends the program", fun() ->
        #{os_pid := OsPid} = running(),
        Process = mod_mqtt_rollup_program:process(OsPid),
        ?assert(mod_mqtt_rollup_program:is_alive(Process)),
        ok = gen_server:stop(Server),
        ?assertNot(mod_mqtt_rollup_program:is_alive(Process))
    end}.

a_second_program_does_not_get_the_history(#{options := Options}) ->
    {"a second program does not get the history", fun() ->
        running(),
        load(<<"second.example">>, Options),
        {ok, Second} = mod_mqtt_rollup_port:start_link(<<"second.example">>),
        #{problem := Problem} = until(<<"second.example">>, fun(#{problem := P}) -> P =/= none end),
        ?assert(is_binary(Problem)),
        ok = gen_server:stop(Second),
        ?assertMatch({ok, #{phase := running, restarts := 0}}, mod_mqtt_rollup_port:info(?HOST))
    end}.

a_configuration_can_be_checked(#{options := Options}) ->
    {"the running program checks a configuration", fun() ->
        running(),
        Check = fun(Alerts) ->
            Config = #{
                rules => mod_mqtt_rollup_config:rules(Options#{alerts := Alerts}),
                brokers => mod_mqtt_rollup_config:brokers(?HOST, Options)
            },
            mod_mqtt_rollup_port:request(?HOST, {check, Config}, 5000)
        end,
        ?assertEqual(ok, Check([{<<"a">>, #{stream => <<"t">>, raise => <<"value > 1">>}}])),
        ?assertMatch(
            {error, [{bad_config, <<"alerts->a->stream">>, _}]},
            Check([{<<"a">>, #{stream => <<"tt">>, raise => <<"value > 1">>}}])
        ),
        ?assertMatch(
            {error, [{bad_config, <<"alerts->a->raise">>, _}]},
            Check([{<<"a">>, #{stream => <<"t">>, raise => <<"value >">>}}])
        )
    end}.

%%% A program that does not keep to the protocol: a script that says hello and is configured first.

a_wild_program_is_ended_test_() ->
    [
        {Name, {timeout, 60, fun() -> wild(Deed, Problem) end}}
     || {Name, Deed, Problem} <- [
            {"a frame of a gigabyte", "out(struct.pack('>I', 1 << 30)); flood(b'x' * 65536)", "a frame is too large"},
            {"log lines without end", "flood(frame(log))", "it writes into the log without end"},
            {"notifications without credit", "flood(frame(notify))", "a notification without credit"},
            {"long log lines without end", "flood(frame(long))", "it writes into the log without end"}
        ]
    ].

wild(Deed, Expected) ->
    Term = fun(T) -> io_lib:format("~w", [binary_to_list(term_to_binary(T))]) end,
    Notification = #{to => [], topic => <<"t">>, id => <<"i">>, body => <<>>},
    Script = [
        "#!/usr/bin/python3\n"
        "import os, struct\n"
        "def frame(term):\n    return struct.pack('>I', len(term)) + bytes(term)\n"
        "def out(data):\n    while data:\n        data = data[os.write(4, data):]\n"
        "def flood(data):\n    while True:\n        out(data)\n",
        "log = ", Term({log, debug, <<"line">>}), "\n",
        "notify = ", Term({notify, 1, Notification}), "\n",
        "long = bytes([131, 104, 3, 119, 3]) + b'log' + bytes([119, 5]) + b'debug' + bytes([109]) + "
        "struct.pack('>I', 1 << 23) + b'x' * (1 << 23)\n"
        "out(frame(", Term({hello, #{protocol => 1, build => <<"wild">>}}), "))\n",
        "os.read(3, 65536)\n"
        "out(frame(", Term({configured, 1, ok}), "))\n",
        Deed, "\n"
    ],
    Path = string:trim(os:cmd("mktemp")),
    ok = file:write_file(Path, Script),
    ok = file:change_mode(Path, 8#700),
    Before = erlang:memory(total),
    Started = start(#{program => list_to_binary(Path)}),
    try
        #{problem := Problem} = until(fun(#{problem := P}) -> P =/= none end),
        ?assertNotEqual({nomatch, Problem}, {binary:match(Problem, list_to_binary(Expected)), Problem}),
        ?assert(erlang:memory(total) - Before < 300 * 1024 * 1024)
    after
        stop(Started),
        file:delete(Path)
    end.

a_process_number_that_another_has_now_is_left_alone_test() ->
    Port = open_port({spawn_executable, os:find_executable("cat")}, [binary]),
    {os_pid, OsPid} = erlang:port_info(Port, os_pid),
    Process = mod_mqtt_rollup_program:process(OsPid),
    {OsPid, Start} = Process,
    Earlier = {OsPid, integer_to_binary(binary_to_integer(Start) - 1)},
    ?assertNot(mod_mqtt_rollup_program:is_alive(Earlier)),
    ok = mod_mqtt_rollup_program:kill(Earlier),
    ?assert(mod_mqtt_rollup_program:is_alive(Process)),
    ok = mod_mqtt_rollup_program:kill(Process),
    catch port_close(Port).

%%% Helpers

start(Written) ->
    Dir = string:trim(os:cmd("mktemp -d")),
    Options = maps:merge(
        #{
            program => undefined,
            data_dir => list_to_binary(filename:join(Dir, "data")),
            timezone => <<"UTC">>,
            language => <<"en">>,
            durability => normal,
            limits => #{},
            %% Nobody listens there: the program goes on trying.
            brokers => [{<<"ejabberd">>, #{host => <<"127.0.0.1">>, port => 1, password => fun() -> <<"secret">> end}}],
            streams => [{<<"t">>, #{topic => <<"home/{room}/t">>}}],
            alerts => []
        },
        Written
    ),
    load(?HOST, Options),
    {ok, Server} = mod_mqtt_rollup_port:start_link(?HOST),
    #{dir => Dir, options => Options, server => Server}.

stop(#{dir := Dir, server := Server}) ->
    is_process_alive(Server) andalso gen_server:stop(Server),
    ets:delete(ejabberd_modules),
    _ = file:del_dir_r(Dir),
    ok.

%% As gen_mod keeps the options of a loaded module.
load(VHost, Options) ->
    ets:info(ejabberd_modules) =/= undefined orelse
        ets:new(ejabberd_modules, [named_table, public, {keypos, 2}]),
    ets:insert(ejabberd_modules, {ejabberd_module, {mod_mqtt_rollup, VHost}, Options, 1}).

history(Series) ->
    {history, #{
        series => Series,
        from_ms => null,
        to_ms => null,
        last_ms => null,
        step_ms => null,
        aggregates => [avg],
        max => 10,
        'after' => <<>>
    }}.

running() ->
    until(fun(#{phase := Phase}) -> Phase =:= running end).

until(Claim) ->
    until(?HOST, Claim).

%% The link tells nobody when its state changes, so it has to be asked.
until(VHost, Claim) ->
    until(VHost, Claim, erlang:monotonic_time(millisecond) + 20000).

until(VHost, Claim, Deadline) ->
    {ok, Info} = mod_mqtt_rollup_port:info(VHost),
    case Claim(Info) of
        true ->
            Info;
        false ->
            ?assert(erlang:monotonic_time(millisecond) < Deadline),
            timer:sleep(20),
            until(VHost, Claim, Deadline)
    end.
