%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The frames between this module and the program, as terms (docs/PROTOCOL.md). The port driver would
%% take a frame of any length, so the four bytes of the length are added and taken off here. Pure.
-module(mod_mqtt_rollup_wire).

-export([protocol/0, encode/1, decode/1, framed/1, splitter/0, split/2, atoms/0]).

-export_type([frame/0, failure/0, id/0, publication/0, splitter/0]).

-type id() :: non_neg_integer().
-type failure() :: {Code :: atom(), Place :: binary(), Message :: binary()}.
-type publication() ::
    {
        Topic :: binary(),
        Payload :: binary(),
        Qos :: 0..2,
        Retain :: boolean(),
        ExpirySeconds :: pos_integer() | none,
        ContentType :: binary()
    }.
%% What comes from the program.
-type frame() ::
    {hello, map()}
    | {configured, id(), ok | {error, [failure()]}}
    | {checked, id(), ok | {error, [failure()]}}
    | {reply, id(), {ok, map()} | {error, failure()}}
    | {notify, integer(), map()}
    | {committed, Epoch :: non_neg_integer(), Number :: non_neg_integer()}
    | {publish, [publication()]}
    | {log, debug | info | warning | error, binary()}.

%% What has come of the next frames, newest first, and how many bytes of them are wanted before looking again.
-opaque splitter() :: {Have :: non_neg_integer(), Want :: pos_integer(), [binary()]}.

-define(FRAME_BYTES_MAX, 16 * 1024 * 1024).
-define(PUBLICATIONS_MAX, 256).

%% @doc The version of the protocol that is spoken here.
-spec protocol() -> pos_integer().
protocol() ->
    1.

%% @doc A frame for the program. Only here are the passwords of brokers more than funs.
-spec encode(term()) -> {ok, binary()} | {error, too_large}.
encode({Tag, Id, #{brokers := Brokers} = Config}) ->
    encode_term({Tag, Id, Config#{brokers := [open_password(Broker) || Broker <- Brokers]}});
encode(Term) ->
    encode_term(Term).

-spec open_password(map()) -> map().
open_password(#{password := Password} = Broker) -> Broker#{password := Password()};
open_password(Broker) -> Broker.

-spec encode_term(term()) -> {ok, binary()} | {error, too_large}.
encode_term(Term) ->
    case term_to_binary(Term) of
        Bin when byte_size(Bin) =< ?FRAME_BYTES_MAX -> {ok, Bin};
        _ -> {error, too_large}
    end.

%% @doc A frame with its length, as it goes into the pipe.
-spec framed(binary()) -> iodata().
framed(Bin) ->
    [<<(byte_size(Bin)):32>>, Bin].

%% @doc The beginning of what a program says.
-spec splitter() -> splitter().
splitter() ->
    {0, 4, []}.

%% @doc The frames that are whole with some more bytes. A length that no frame has is refused before there
%% are so many bytes.
-spec split(binary(), splitter()) -> {ok, [binary()], splitter()} | {error, Reason :: string()}.
split(Bin, {Have, Want, Parts}) when Have + byte_size(Bin) < Want ->
    {ok, [], {Have + byte_size(Bin), Want, [Bin | Parts]}};
split(Bin, {_, _, []}) ->
    whole(Bin, []);
split(Bin, {_, _, Parts}) ->
    whole(iolist_to_binary(lists:reverse([Bin | Parts])), []).

-spec whole(binary(), [binary()]) -> {ok, [binary()], splitter()} | {error, Reason :: string()}.
whole(<<Length:32, _/binary>>, _) when Length > ?FRAME_BYTES_MAX ->
    {error, "a frame is too large"};
whole(<<Length:32, Frame:Length/binary, Rest/binary>>, Frames) ->
    whole(Rest, [Frame | Frames]);
whole(<<>>, Frames) ->
    {ok, lists:reverse(Frames), splitter()};
whole(<<Length:32, _/binary>> = Rest, Frames) ->
    {ok, lists:reverse(Frames), {byte_size(Rest), 4 + Length, [Rest]}};
whole(Rest, Frames) ->
    {ok, lists:reverse(Frames), {byte_size(Rest), 4, [Rest]}}.

%% @doc A frame of the program. Nothing in it can create an atom, a fun or a reference that is not
%% there already; what is no frame of the protocol is refused.
-spec decode(binary()) -> {ok, frame()} | {error, Reason :: string()}.
decode(Bin) ->
    %% The atoms of the protocol exist from the moment this module is loaded.
    try binary_to_term(Bin, [safe]) of
        Term ->
            case is_frame(Term) of
                true -> {ok, Term};
                false -> {error, lists:flatten(io_lib:format("no frame of the protocol: ~P", [Term, 8]))}
            end
    catch
        error:badarg -> {error, "a frame cannot be read"}
    end.

-spec is_frame(term()) -> boolean().
is_frame({hello, #{protocol := Protocol}}) ->
    is_integer(Protocol);
is_frame({configured, Id, Result}) ->
    is_integer(Id) andalso is_verdict(Result);
is_frame({checked, Id, Result}) ->
    is_integer(Id) andalso is_verdict(Result);
is_frame({reply, Id, {ok, Answer}}) ->
    is_integer(Id) andalso is_map(Answer);
is_frame({reply, Id, {error, Failure}}) ->
    is_integer(Id) andalso is_failure(Failure);
is_frame({notify, Id, Notification}) ->
    is_integer(Id) andalso is_map(Notification);
is_frame({committed, Epoch, Number}) ->
    is_integer(Epoch) andalso Epoch >= 0 andalso is_integer(Number) andalso Number >= 0;
is_frame({publish, [_ | _] = Publications}) ->
    is_list_of(Publications, fun is_publication/1, ?PUBLICATIONS_MAX);
is_frame({log, Level, Text}) ->
    lists:member(Level, [debug, info, warning, error]) andalso is_binary(Text);
is_frame(_) ->
    false.

-spec is_verdict(term()) -> boolean().
is_verdict(ok) -> true;
is_verdict({error, [_ | _] = Failures}) -> lists:all(fun is_failure/1, Failures);
is_verdict(_) -> false.

-spec is_publication(term()) -> boolean().
is_publication({Topic, Payload, Qos, Retain, Expiry, ContentType}) ->
    is_binary(Topic) andalso is_binary(Payload) andalso lists:member(Qos, [0, 1, 2]) andalso
        is_boolean(Retain) andalso (Expiry =:= none orelse (is_integer(Expiry) andalso Expiry > 0)) andalso
        is_binary(ContentType);
is_publication(_) ->
    false.

%% A proper list of at most so many elements of a kind.
-spec is_list_of(term(), fun((term()) -> boolean()), non_neg_integer()) -> boolean().
is_list_of([], _, _) -> true;
is_list_of([_ | _], _, 0) -> false;
is_list_of([Head | Tail], Is, Max) -> Is(Head) andalso is_list_of(Tail, Is, Max - 1);
is_list_of(_, _, _) -> false.

-spec is_failure(term()) -> boolean().
is_failure({Code, Place, Message}) ->
    is_atom(Code) andalso is_binary(Place) andalso is_binary(Message);
is_failure(_) ->
    false.

%% @doc Every atom that the program may send.
-spec atoms() -> [atom()].
atoms() ->
    [ok, error, null, true, false, forever, none, auto] ++
        [hello, configured, checked, reply, notify, committed, publish] ++
        [log, debug, info, warning] ++
        [protocol, build, pid, frame_bytes_max] ++
        [bad_config, bad_request, not_found, too_large, timeout, storage, unsupported, unavailable] ++
        [uptime_ms, started_ms, series, alerts, alarms, received, accepted, dropped, refused, streams] ++
        [brokers, history, name, examples, state, connected, connecting, down, since_ms] ++
        [redelivered, unwanted, filters_missing, sessions_lost, unpublished] ++
        [published, queued, last_error, bytes, journal_rows, outbox, last_commit_ms] ++
        [not_a_number, not_json, no_such_field, bad_time, future, too_late, out_of_range] ++
        [too_deep, not_utf8, too_many_series, too_many_new_series, bad_topic, queue_full] ++
        [topic_collision, bad_template, alerts_per_rule] ++
        [names, more, rows, next, stream, broker, topic, field, unit, title, value, age_ms, count] ++
        [decimals, from_ms, to_ms, step_ms, aggregates, spark] ++
        mod_mqtt_rollup_options:statistics() ++
        [id, alert, phase, alarm, to, body, replaces, fresh, at_ms].
