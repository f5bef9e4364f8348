%% SPDX-License-Identifier: GPL-2.0-or-later

%% A feed with what it needs around it, for its tests. The program is a `cat', which gives back what it was
%% sent, or a `sleep', which reads nothing.
-module(mod_mqtt_rollup_feed_fixture).

-export([
    with_feed/1, with_feed/2,
    start_feed/0,
    load/1,
    feed/1,
    publish/2, publish/3,
    fill/1,
    info/0,
    until/1, until/2,
    connect/0, connect/1,
    open/1,
    kill/1,
    frame/1,
    any_frame/1,
    next_messages/1,
    read_all/2, read_all/3,
    files/1,
    crash_until_gone/1,
    wait_for/1,
    name/1,
    now_ms/0,
    with_log/1
]).
%% Called by logger
-export([log/2]).

-include_lib("eunit/include/eunit.hrl").

-include("mqtt.hrl").

-define(HOST, <<"example.org">>).
-define(FAKE, mod_mqtt_rollup_fake_mqtt).
-define(FEED, mod_mqtt_rollup_feed).
-define(ALICE, {<<"alice">>, ?HOST, <<"phone">>}).
-define(NEVER, 4294967295).
-define(KB, 1024).

with_feed(Test) ->
    with_feed(#{}, Test).

%% `start': linked (the default), supervised as by the module, or later.
with_feed(Options, Test) ->
    ?FAKE:start(),
    Base = string:trim(os:cmd("mktemp -d")),
    put(dir, filename:join(Base, "feed")),
    load(Options),
    Context = #{dir => get(dir)},
    Started =
        case maps:get(start, Options, linked) of
            linked ->
                {ok, Feed} = start_feed(),
                Context#{feed => Feed};
            supervised ->
                ok = mod_mqtt_rollup_feed_sup:start(?HOST),
                Context#{feed => whereis(name(?FEED))};
            later ->
                Context
        end,
    try
        Test(Started)
    after
        case {whereis(name(mod_mqtt_rollup_feed_sup)), whereis(name(?FEED))} of
            {undefined, undefined} -> ok;
            {undefined, Pid} -> gen_server:stop(Pid);
            _ -> mod_mqtt_rollup_feed_sup:stop(?HOST)
        end,
        [kill(Port) || Port <- erlang:ports(), erlang:port_info(Port, connected) =:= {connected, self()}],
        _ = file:del_dir_r(Base),
        _ = persistent_term:erase({mod_mqtt_rollup_feed_hook, ?HOST}),
        ?FAKE:stop(),
        flush()
    end.

start_feed() ->
    ?FEED:start_link(?HOST).

%% The options of the module, as far as the feed looks at them.
load(Options) ->
    #{filters := Filters, memory := Memory, disk := Disk, payload := Payload} = feed(Options),
    ?FAKE:load(?HOST, mod_mqtt_rollup, #{
        brokers => [],
        streams => [{Filter, #{topic => Filter}} || Filter <- Filters],
        limits => #{queue_memory => Memory, queue_disk => Disk, payload => Payload},
        data_dir => filename:dirname(get(dir))
    }).

feed(Options) ->
    maps:merge(
        #{
            filters => [<<"home/+/t">>, <<"wrong/#/filter">>, <<"zigbee/#">>],
            dir => get(dir),
            memory => 1000 * 1000 * ?KB,
            disk => 1000 * 1000 * ?KB,
            payload => 256 * ?KB
        },
        maps:with([filters, dir, memory, disk, payload], Options)
    ).

publish(Topic, Payload) ->
    publish(Topic, Payload, 0).

publish(Topic, Payload, Qos) ->
    ok = mod_mqtt_rollup_feed_hook:mqtt_publish(?ALICE, #publish{topic = Topic, payload = Payload, qos = Qos}, ?NEVER).

%% Until something is dropped.
fill(Before) ->
    publish(<<"home/full/t">>, binary:copy(<<"1">>, 100)),
    case info() of
        #{dropped := Before} -> fill(Before);
        _ -> ok
    end.

info() ->
    {ok, Info} = ?FEED:info(?HOST),
    Info.

%% The state of the feed changes with messages of others, so it has to be asked.
until(Claim) ->
    until(Claim, now_ms() + 10000).

until(Claim, Deadline) ->
    Info = info(),
    case Claim(Info) of
        true ->
            Info;
        false ->
            ?assert(now_ms() < Deadline),
            timer:sleep(10),
            until(Claim, Deadline)
    end.

%% A program that has nothing in its history; its first frame is taken off if it is a heartbeat.
connect() ->
    connect(#{}).

connect(Options) ->
    #{waiting := Waiting} = info(),
    Port = open("cat"),
    ?FEED:up(?HOST, Port, feed(Options)),
    ?FEED:committed(?HOST, 0, 0),
    Waiting =:= 0 andalso ?assertMatch({feed, _, _, _, _, _, []}, frame(Port)),
    Port.

%% Each frame comes back with the length that it was given, in a packet of its own.
open(Program) ->
    Args =
        case Program of
            "cat" -> [];
            "sleep" -> ["60"]
        end,
    open_port({spawn_executable, os:find_executable(Program)}, [{packet, 4}, binary, {args, Args}]).

kill(Port) ->
    case erlang:port_info(Port, os_pid) of
        {os_pid, OsPid} ->
            catch port_close(Port),
            mod_mqtt_rollup_program:kill(mod_mqtt_rollup_program:process(OsPid));
        undefined ->
            ok
    end.

%% Without the first frame of a run.
frame(Port) ->
    case any_frame(Port) of
        {feed_since, _} -> any_frame(Port);
        Frame -> Frame
    end.

any_frame(Port) ->
    receive
        {Port, {data, <<_:32, Bin/binary>>}} -> binary_to_term(Bin)
    after 5000 -> none
    end.

%% The next frame that is no heartbeat.
next_messages(Port) ->
    case frame(Port) of
        {feed, _, _, _, _, _, []} -> next_messages(Port);
        Frame -> Frame
    end.

%% Commits everything that comes until there were so many; gives the numbers.
read_all(Port, Count) ->
    read_all(Port, Count, []).

read_all(_, 0, Numbers) ->
    lists:append(lists:reverse(Numbers));
read_all(Port, Count, Numbers) ->
    {feed, Epoch, First, _, 0, _, Messages} = next_messages(Port),
    Last = First + length(Messages) - 1,
    ?FEED:committed(?HOST, Epoch, Last),
    read_all(Port, Count - length(Messages), [lists:seq(First, Last) | Numbers]).

files(Dir) ->
    case file:list_dir(Dir) of
        {ok, Names} -> lists:sort(Names) -- ["number"];
        {error, enoent} -> []
    end.

crash_until_gone(Ref) ->
    catch exit(whereis(name(?FEED)), kill),
    receive
        {'DOWN', Ref, process, _, _} -> ok
    after 10 -> crash_until_gone(Ref)
    end.

wait_for(Claim) ->
    Claim() orelse
        begin
            timer:sleep(10),
            wait_for(Claim)
        end.

%% What is logged comes as {log, Level, Text}.
with_log(Test) ->
    ok = logger:add_handler(?MODULE, ?MODULE, #{config => self()}),
    try
        Test()
    after
        logger:remove_handler(?MODULE)
    end.

log(#{level := Level, msg := {Format, Arguments}}, #{config := Pid}) when is_list(Arguments) ->
    Pid ! {log, Level, lists:flatten(io_lib:format(Format, Arguments))};
log(_, _) ->
    ok.

flush() ->
    receive
        _ -> flush()
    after 0 -> ok
    end.

name(Module) ->
    gen_mod:get_module_proc(?HOST, Module).

now_ms() ->
    os:system_time(millisecond).
