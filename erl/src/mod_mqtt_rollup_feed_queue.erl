%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The messages that the program has not committed yet. Pure: knows no process, no file and no
%% clock. handle/2 takes what has happened and says what is to be done; what comes of that is an event again.
%%
%%   publish --> open batch --close--> ready frames --sent--> sent frames --committed--> gone
%%                                          ^                      |
%%                                          +-------- down --------+
%%
%% A frame is a batch as it goes to the program (docs/PROTOCOL.md: feed), in memory or in a file of its
%% own. Messages are numbered when their batch is closed. As in Nagle's algorithm a batch goes out at
%% once if the program has committed everything before it, else when it is full or something is
%% committed: an idle feed is quick, a busy one pays per batch.
%%
%% The limits decide where a frame is put and when there is no room, nothing else: whoever publishes
%% asks has_room/1 before. What comes without room is kept all the same.
%%
%% A message may be what makes the program crash, and would be sent again for ever. From the first crash
%% with something on its way and nothing committed on, frames go one by one; from the third on, each such
%% crash cuts the first frame into halves. At the fourth a message that is alone in its frame is left out.
%% Only one until something is committed: if the next one does the same, it is not the messages.
-module(mod_mqtt_rollup_feed_queue).

-export([new/2, restore/4, handle/2]).
-export([has_room/1, files/1, info/1, parse_name/1, bytes/3]).

-export_type([state/0, message/0, limits/0, event/0, effect/0, source/0, name/0, stored/0, info/0]).

-define(BATCH_MESSAGES, 1000).
-define(BATCH_BYTES, 256 * 1024).
-define(WINDOW_FRAMES, 8).
-define(WINDOW_BYTES, 4 * 1024 * 1024).
%% Runs that crash in a row with nothing committed until frames are cut.
-define(CRASHES, 3).
%% Of an encoded message, beside its texts.
-define(OVERHEAD, 32).
%% Of the names of files and what is in them.
-define(VERSION, "1").

-type message() :: {
    Topic :: binary(), Payload :: binary(), ArrivalMs :: integer(), Flags :: 0..1, Publisher :: binary()
}.
%% Bytes; what is above `memory' goes to files, as long as there are fewer than `disk' in them.
-type limits() :: #{memory := non_neg_integer(), disk := non_neg_integer()}.
%% Of a file.
-type name() :: string().
-type source() :: {memory, binary()} | {file, name()}.
-type event() ::
    %% Comes in, in this order.
    {publish, [message()]}
    %% So many were dropped, the newest one with this topic.
    | {lost, non_neg_integer(), Topic :: binary()}
    %% All that has arrived until then is here.
    | {mark, Ms :: integer()}
    | {limits, limits()}
    %% The open batch need not wait for what comes after it.
    | flush
    %% The end: everything goes to files, whatever the limits. What comes then is written by another close.
    | close
    %% A run of the program begins; it will say where it stands.
    | {up, NowMs :: integer()}
    %% It has committed everything up to a number of an epoch; the first time in a run this says where it begins.
    | {committed, Epoch :: non_neg_integer(), Number :: non_neg_integer()}
    %% The run is over; and not because it was told to, or was killed by somebody.
    | down
    | crashed
    %% The port may be given something; it has taken that.
    | next
    | sent
    %% Of a file: what was to be read, or that it is gone or damaged, that it could not be written; and it is
    %% some time later.
    | {read, name(), binary()}
    | {unreadable, name()}
    | {unwritten, name(), binary()}
    | writable.
-type effect() ::
    {write, name(), binary()}
    | {delete, name()}
    %% To be answered by `read' or `unreadable'.
    | {read, name()}
    %% To be answered by `sent', or for a file by `unreadable'. If the port is busy there is another `next'.
    | {send, source()}
    %% The program crashes at this message, which is left out.
    | {left_out, Number :: pos_integer(), Topic :: binary(), Frame :: binary()}.
%% A file that was found, with the time of its first message as far as it is known.
-type stored() :: {name(), Bytes :: non_neg_integer(), SinceMs :: integer()}.
-type info() :: #{
    messages := non_neg_integer(),
    memory := non_neg_integer(),
    disk := non_neg_integer(),
    lost := non_neg_integer(),
    committed := non_neg_integer(),
    since := none | integer(),
    connected := boolean()
}.

-record(frame, {
    first :: pos_integer(),
    last :: pos_integer(),
    bytes :: non_neg_integer(),
    %% When its first message arrived.
    since :: integer(),
    place :: binary() | file
}).

-record(queue, {
    epoch :: pos_integer(),
    limits :: limits(),
    %% Connected: frames may be sent. Waiting: the program has not said yet where it stands.
    link = down :: down | waiting | connected,
    %% The number of the next message.
    next = 1 :: pos_integer(),
    %% The newest number that is known to be committed.
    committed = 0 :: non_neg_integer(),
    %% The open batch, newest first.
    open = [] :: [message()],
    open_count = 0 :: non_neg_integer(),
    open_bytes = 0 :: non_neg_integer(),
    %% Something was committed since the open batch began.
    flush = false :: boolean(),
    ready = queue:new() :: queue:queue(#frame{}),
    sent = queue:new() :: queue:queue(#frame{}),
    sent_bytes = 0 :: non_neg_integer(),
    %% Closed and not committed.
    messages = 0 :: non_neg_integer(),
    memory = 0 :: non_neg_integer(),
    disk = 0 :: non_neg_integer(),
    %% Files can be written.
    is_writable = true :: boolean(),
    %% What the program has to be told of.
    lost = 0 :: non_neg_integer(),
    lost_topic = <<>> :: binary(),
    lost_total = 0 :: non_neg_integer(),
    %% Has the last run ended with something on its way, and was that a crash?
    ended = idle :: idle | unfinished | crashed,
    %% How often in a row it was, with nothing committed; or a message was left out because of it.
    crashes = 0 :: non_neg_integer() | left_out,
    %% How far a program that waits for messages is to be told that there were none.
    mark = none :: none | integer(),
    %% The newest time that was added or told.
    newest = 0 :: integer()
}).

-opaque state() :: #queue{}.

%% @doc An empty queue; the epoch is a random number that no queue before had.
-spec new(Epoch :: pos_integer(), limits()) -> state().
new(Epoch, Limits) ->
    #queue{epoch = Epoch, limits = Limits}.

%% @doc The queue of the files that were found, and the names of those that do not belong to it. With
%% no file of a right name it is a new one of the given epoch. Numbers go on at `Next' or above: those
%% that follow the files may have been used before a crash, so each start has to give a number that no
%% start before has come to.
-spec restore([stored()], NewEpoch :: pos_integer(), Next :: pos_integer(), limits()) -> {state(), [name()]}.
restore(Found, NewEpoch, Next, Limits) ->
    Parsed = [{parse_name(Name), File} || {Name, _, _} = File <- Found],
    Strangers = [Name || {error, {Name, _, _}} <- Parsed],
    case lists:sort([{First, Last, Epoch, File} || {{ok, Epoch, First, Last}, File} <- Parsed]) of
        [] ->
            {new(NewEpoch, Limits), Strangers};
        Files ->
            %% There are several epochs only if somebody has copied files.
            {_, Epoch} = lists:max([{Since, Epoch} || {_, _, Epoch, {_, _, Since}} <- Files]),
            {Q, AllStrangers} = lists:foldl(
                fun restore_file/2, {#queue{epoch = Epoch, limits = Limits}, Strangers}, Files
            ),
            {Q#queue{next = max(Q#queue.next, Next)}, AllStrangers}
    end.

-spec restore_file({pos_integer(), pos_integer(), pos_integer(), stored()}, {state(), [name()]}) ->
    {state(), [name()]}.
restore_file({First, Last, Epoch, {_, Bytes, Since}}, {#queue{epoch = Epoch, next = Next} = Q, Strangers}) when
    First >= Next
->
    Frame = #frame{first = First, last = Last, bytes = Bytes, since = Since, place = file},
    {put_ready(Frame, Q#queue{next = Last + 1}), Strangers};
restore_file({_, _, _, {Name, _, _}}, {Q, Strangers}) ->
    {Q, [Name | Strangers]}.

%% @doc Something has happened.
-spec handle(event(), state()) -> {state(), [effect()]}.
handle({publish, Messages}, #queue{open = Open, open_count = Count, open_bytes = Bytes, newest = Newest} = Q) ->
    append(Messages, Open, Count, Bytes, Newest, Q, []);
handle({lost, Count, Topic}, Q) ->
    {lost(Count, Topic, Q), []};
handle({mark, Ms}, #queue{link = connected, open_count = 0, ready = Ready} = Q) ->
    case queue:is_empty(Ready) of
        true -> {Q#queue{mark = Ms}, []};
        false -> {Q, []}
    end;
handle({mark, _}, Q) ->
    {Q, []};
handle({limits, Limits}, Q) ->
    {Q#queue{limits = Limits}, []};
handle(flush, #queue{open_count = Count} = Q) ->
    {Q#queue{flush = Count > 0}, []};
handle(close, Q) ->
    close(down(Q));
handle({up, Now}, #queue{newest = Newest} = Q) ->
    #queue{ended = Ended} = Q1 = down(Q),
    Known =
        case Ended of
            crashed -> crashed;
            _ -> idle
        end,
    %% It has been told of no time yet: what the run before was told by a clock that was ahead is over.
    {Q1#queue{link = waiting, ended = Known, newest = min(Newest, Now)}, []};
handle({committed, Epoch, Number}, Q) ->
    committed(Epoch, Number, Q);
handle(down, Q) ->
    {down(Q), []};
handle(crashed, #queue{ended = unfinished} = Q) ->
    {Q#queue{ended = crashed}, []};
handle(crashed, Q) ->
    {Q, []};
handle(next, Q) ->
    next(Q);
handle(sent, Q) ->
    next(taken(Q));
handle({read, Name, Bin}, Q) ->
    suspect(Name, Bin, Q);
handle({unreadable, Name}, Q) ->
    {unreadable(Name, Q), []};
handle({unwritten, Name, Bin}, Q) ->
    {unwritten(Name, Bin, Q), []};
handle(writable, Q) ->
    writable(Q).

%%%===================================================================
%%% What comes in
%%%===================================================================

%% What changes with each message is kept out of the record, which would be copied each time.
-spec append([message()], [message()], non_neg_integer(), non_neg_integer(), integer(), state(), [effect()]) ->
    {state(), [effect()]}.
append(Messages, Open, Count, Bytes, Newest, Q, Effects) when
    Count >= ?BATCH_MESSAGES; Bytes >= ?BATCH_BYTES
->
    close_and_append(Messages, Open, Count, Bytes, Newest, Q, Effects);
append([], Open, Count, Bytes, Newest, Q, Effects) ->
    {open(Open, Count, Bytes, Newest, Q), Effects};
append([Message | Rest] = Messages, Open, Count, Bytes, Newest, Q, Effects) ->
    {Topic, Payload, Arrival, Flags, Publisher} = Message,
    case Bytes + bytes(Topic, Payload, Publisher) of
        Sum when Sum > ?BATCH_BYTES, Count > 0 ->
            close_and_append(Messages, Open, Count, Bytes, Newest, Q, Effects);
        Sum when Arrival >= Newest ->
            append(Rest, [Message | Open], Count + 1, Sum, Arrival, Q, Effects);
        Sum ->
            %% The program was told that everything up to a time is there, and that has to stay true: of
            %% publishers that were interrupted or had to wait for room, and of a clock that was set back.
            InOrder = {Topic, Payload, Newest, Flags, Publisher},
            append(Rest, [InOrder | Open], Count + 1, Sum, Newest, Q, Effects)
    end.

-spec close_and_append(
    [message()], [message()], non_neg_integer(), non_neg_integer(), integer(), state(), [effect()]
) -> {state(), [effect()]}.
close_and_append(Messages, Open, Count, Bytes, Newest, Q, Effects) ->
    {Q1, More} = close_batch(open(Open, Count, Bytes, Newest, Q)),
    append(Messages, [], 0, 0, Newest, Q1, Effects ++ More).

-spec open([message()], non_neg_integer(), non_neg_integer(), integer(), state()) -> state().
open(Open, Count, Bytes, Newest, Q) ->
    Q#queue{open = Open, open_count = Count, open_bytes = Bytes, newest = Newest}.

%% @doc About how many bytes a message takes.
-spec bytes(Topic :: binary(), Payload :: binary(), Publisher :: binary()) -> pos_integer().
bytes(Topic, Payload, Publisher) ->
    byte_size(Topic) + byte_size(Payload) + byte_size(Publisher) + ?OVERHEAD.

-spec lost(non_neg_integer(), Topic :: binary(), state()) -> state().
lost(0, _, Q) ->
    Q;
lost(Count, Topic, #queue{lost = Lost, lost_total = Total} = Q) ->
    Q#queue{lost = Lost + Count, lost_topic = Topic, lost_total = Total + Count}.

%% @doc May more messages be added?
-spec has_room(state()) -> boolean().
has_room(#queue{limits = #{memory := Max}, memory = Memory, open_bytes = Open}) when Memory + Open < Max ->
    true;
has_room(Q) ->
    takes_file(Q).

%%%===================================================================
%%% The program
%%%===================================================================

%% All that is not committed is to be sent again.
-spec down(state()) -> state().
down(#queue{link = Link, ready = Ready, sent = Sent, ended = Ended} = Q) ->
    IsUnfinished = Link =:= connected andalso not queue:is_empty(Sent),
    Q#queue{
        link = down,
        ready = queue:join(Sent, Ready),
        sent = queue:new(),
        sent_bytes = 0,
        flush = false,
        ended =
            case IsUnfinished of
                true -> unfinished;
                false -> Ended
            end,
        mark = none
    }.

-spec committed(non_neg_integer(), non_neg_integer(), state()) -> {state(), [effect()]}.
committed(_, _, #queue{link = down} = Q) ->
    {Q, []};
committed(Epoch, Number, #queue{epoch = Epoch, next = Next, open_count = Count, committed = Before} = Q) ->
    {Q1, Deleted} = drop(Number, progress(Number, Q)),
    {Q2, Effects} = stands(Number > Before, Q1),
    %% Numbers that the program has seen would be ignored.
    {Q2#queue{next = max(Next, Number + 1), flush = Count > 0}, Deleted ++ Effects};
committed(_, _, Q) ->
    %% A program with another history has nothing of this one.
    stands(false, Q#queue{committed = 0}).

%% The program has said where it stands. Only now it is known whether the run that has crashed has come any
%% further than what was heard of it.
-spec stands(boolean(), state()) -> {state(), [effect()]}.
stands(false, #queue{ended = crashed, crashes = Crashes, ready = Ready} = Q) when is_integer(Crashes) ->
    Q1 = Q#queue{link = connected, ended = idle, crashes = Crashes + 1},
    case queue:peek(Ready) of
        {value, Frame} when Crashes + 1 >= ?CRASHES ->
            case source(Frame, Q1) of
                {memory, Bin} -> suspect(name(Frame, Q1), Bin, Q1);
                {file, Name} -> {Q1, [{read, Name}]}
            end;
        _ ->
            {Q1, []}
    end;
stands(_, Q) ->
    {Q#queue{link = connected, ended = idle}, []}.

%% Once frames are cut a half that is committed does not take back all crashes: it is the other half, then, and
%% the next crash cuts that. A message that is alone by now still needs a second one.
-spec progress(non_neg_integer(), state()) -> state().
progress(Number, #queue{committed = Committed} = Q) when Number =< Committed ->
    Q;
progress(Number, #queue{crashes = Crashes} = Q) when is_integer(Crashes), Crashes >= ?CRASHES ->
    Q#queue{committed = Number, crashes = ?CRASHES - 1};
progress(Number, Q) ->
    Q#queue{committed = Number, crashes = 0}.

%% The program has crashed at the first frame once more.
-spec suspect(name(), binary(), state()) -> {state(), [effect()]}.
suspect(Name, Bin, #queue{ready = Ready, crashes = Crashes} = Q) ->
    {value, Frame} = queue:peek(Ready),
    Name = name(Frame, Q),
    Rest = Q#queue{ready = queue:drop(Ready)},
    case uncommitted(binary_to_term(Bin), Q) of
        {feed, _, _, _, _, _, [_]} when Crashes =< ?CRASHES -> {Q, []};
        {feed, _, _, _, _, _, [_]} = Alone -> leave_out(Alone, forget(Frame, {Rest, []}));
        Whole -> cut(Whole, Frame, forget(Frame, {Rest, []}))
    end.

-spec uncommitted(tuple(), state()) -> tuple().
uncommitted({feed, Epoch, First, UpTo, _, Topic, Messages}, #queue{committed = Committed}) when Committed >= First ->
    {feed, Epoch, Committed + 1, UpTo, 0, Topic, lists:nthtail(Committed - First + 1, Messages)};
uncommitted(Whole, _) ->
    Whole.

-spec leave_out(tuple(), {state(), [effect()]}) -> {state(), [effect()]}.
leave_out({feed, _, Number, _, Untold, _, [{Topic, _, _, _, _}]} = Alone, {Q, Deleted}) ->
    #queue{lost = Lost} = Q1 = lost(1, Topic, Q),
    {Q1#queue{lost = Lost + Untold, crashes = left_out}, [{left_out, Number, Topic, term_to_binary(Alone)} | Deleted]}.

-spec cut(tuple(), #frame{}, {state(), [effect()]}) -> {state(), [effect()]}.
cut({feed, Epoch, First, UpTo, Lost, LostTopic, Messages}, Whole, {#queue{ready = Rest} = Q, Deleted}) ->
    {Older, Newer} = lists:split(length(Messages) div 2, Messages),
    {_, _, Arrival, _, _} = lists:last(Older),
    {Half1, Effects1, Q1} = half({feed, Epoch, First, Arrival, Lost, LostTopic, Older}, Whole, Q),
    {Half2, Effects2, Q2} = half({feed, Epoch, First + length(Older), UpTo, 0, <<>>, Newer}, Whole, Q1),
    Halves = queue:from_list([Half1, Half2]),
    {Q2#queue{ready = queue:join(Halves, Rest)}, Effects1 ++ Effects2 ++ Deleted}.

%% Is where the whole was, so that it survives what that would have survived.
-spec half(tuple(), #frame{}, state()) -> {#frame{}, [effect()], state()}.
half({feed, _, First, _, _, _, [{_, _, Since, _, _} | _] = Messages} = Term, #frame{place = Place}, Q) ->
    Bin = term_to_binary(Term),
    Last = First + length(Messages) - 1,
    Half = #frame{first = First, last = Last, bytes = byte_size(Bin), since = Since, place = Bin},
    case Place of
        file ->
            InFile = Half#frame{place = file},
            {InFile, [{write, name(Half, Q), Bin}], put_ready(InFile, Q)};
        _ ->
            {Half, [], put_ready(Half, Q)}
    end.

%% What may go to the program now, if anything: the oldest frame, else the open batch, else how far it is.
%% A batch that goes out at once is not worth a file.
-spec next(state()) -> {state(), [effect()]}.
next(#queue{link = connected, open_count = Count, open_bytes = Bytes, ready = Ready, mark = Mark} = Q) ->
    case queue:peek(Ready) of
        {value, #frame{bytes = Size} = Frame} ->
            {Q, [{send, source(Frame, Q)} || is_window_open(Size, Q)]};
        empty when Count > 0 ->
            case (Q#queue.flush orelse queue:is_empty(Q#queue.sent)) andalso is_window_open(Bytes, Q) of
                true ->
                    {Frame, Q1} = seal(Q),
                    {put_ready(Frame, Q1), [{send, source(Frame, Q1)}]};
                false ->
                    {Q, []}
            end;
        empty when is_integer(Mark) ->
            {Q, [{send, {memory, encode(max(Mark, Q#queue.newest), Q)}}]};
        empty ->
            {Q, []}
    end;
next(Q) ->
    {Q, []}.

%% The port has what next/1 has said.
-spec taken(state()) -> state().
taken(#queue{ready = Ready, sent = Sent, sent_bytes = SentBytes, mark = Mark, newest = Newest} = Q) ->
    case queue:out(Ready) of
        {{value, #frame{bytes = Bytes} = Frame}, Rest} ->
            Q#queue{ready = Rest, sent = queue:in(Frame, Sent), sent_bytes = SentBytes + Bytes};
        {empty, _} ->
            Q#queue{mark = none, newest = max(Mark, Newest), lost = 0, lost_topic = <<>>}
    end.

-spec is_window_open(non_neg_integer(), state()) -> boolean().
is_window_open(Bytes, #queue{sent = Sent, sent_bytes = SentBytes, crashes = Crashes}) ->
    case queue:len(Sent) of
        0 -> true;
        Frames -> Crashes =:= 0 andalso Frames < ?WINDOW_FRAMES andalso SentBytes + Bytes =< ?WINDOW_BYTES
    end.

%% Forgets the frames up to a number, those that were sent before the others.
-spec drop(non_neg_integer(), state()) -> {state(), [effect()]}.
drop(Number, #queue{sent = Sent, sent_bytes = SentBytes, ready = Ready} = Q) ->
    {Gone1, Sent1} = split(Number, Sent, []),
    {Gone2, Ready1} = split(Number, Ready, []),
    Q1 = Q#queue{
        sent = Sent1,
        sent_bytes = SentBytes - lists:sum([Bytes || #frame{bytes = Bytes} <- Gone1]),
        ready = Ready1
    },
    lists:foldl(fun forget/2, {Q1, []}, Gone1 ++ Gone2).

-spec split(non_neg_integer(), queue:queue(#frame{}), [#frame{}]) -> {[#frame{}], queue:queue(#frame{})}.
split(Number, Frames, Gone) ->
    case queue:peek(Frames) of
        {value, #frame{last = Last} = Frame} when Last =< Number ->
            split(Number, queue:drop(Frames), [Frame | Gone]);
        _ ->
            {lists:reverse(Gone), Frames}
    end.

-spec forget(#frame{}, {state(), [effect()]}) -> {state(), [effect()]}.
forget(#frame{bytes = Bytes} = Frame, {#queue{messages = Messages} = Q, Effects}) ->
    Q1 = Q#queue{messages = Messages - count(Frame)},
    case Frame of
        #frame{place = file} ->
            {Q1#queue{disk = Q1#queue.disk - Bytes}, Effects ++ [{delete, name(Frame, Q)}]};
        _ ->
            {Q1#queue{memory = Q1#queue.memory - Bytes}, Effects}
    end.

%%%===================================================================
%%% Frames
%%%===================================================================

%% Closes the open batch and puts it where the limits want it.
-spec close_batch(state()) -> {state(), [effect()]}.
close_batch(#queue{open_count = 0} = Q) ->
    {Q, []};
close_batch(Q) ->
    {#frame{place = Bin, bytes = Bytes} = Frame, Q1} = seal(Q),
    #queue{limits = #{memory := Max}, memory = Memory} = Q1,
    case Memory + Bytes > Max andalso takes_file(Q1) of
        true -> {put_ready(Frame#frame{place = file}, Q1), [{write, name(Frame, Q1), Bin}]};
        false -> {put_ready(Frame, Q1), []}
    end.

-spec takes_file(state()) -> boolean().
takes_file(#queue{limits = #{disk := Max}, disk = Disk, is_writable = IsWritable}) ->
    IsWritable andalso Disk < Max.

%% Makes the open batch a frame.
-spec seal(state()) -> {#frame{}, state()}.
seal(#queue{next = First, open = Open, open_count = Count, newest = Newest} = Q) ->
    Bin = encode(Newest, Q),
    {_, _, Since, _, _} = lists:last(Open),
    Frame = #frame{first = First, last = First + Count - 1, bytes = byte_size(Bin), since = Since, place = Bin},
    {Frame, Q#queue{
        next = First + Count,
        open = [],
        open_count = 0,
        open_bytes = 0,
        flush = false,
        lost = 0,
        lost_topic = <<>>
    }}.

%% What is open, as the program reads it; without messages a heartbeat.
-spec encode(integer(), state()) -> binary().
encode(UpTo, #queue{epoch = Epoch, next = First, open = Open, lost = Lost, lost_topic = Topic}) ->
    term_to_binary({feed, Epoch, First, UpTo, Lost, Topic, lists:reverse(Open)}).

-spec put_ready(#frame{}, state()) -> state().
put_ready(#frame{bytes = Bytes, place = Place} = Frame, #queue{ready = Ready, messages = Messages} = Q) ->
    Q1 = Q#queue{ready = queue:in(Frame, Ready), messages = Messages + count(Frame)},
    case Place of
        file -> Q1#queue{disk = Q1#queue.disk + Bytes};
        _ -> Q1#queue{memory = Q1#queue.memory + Bytes}
    end.

-spec count(#frame{}) -> pos_integer().
count(#frame{first = First, last = Last}) ->
    Last - First + 1.

-spec source(#frame{}, state()) -> source().
source(#frame{place = file} = Frame, Q) -> {file, name(Frame, Q)};
source(#frame{place = Bin}, _) -> {memory, Bin}.

-spec name(#frame{}, state()) -> name().
name(#frame{first = First, last = Last}, #queue{epoch = Epoch}) ->
    lists:flatten(io_lib:format(?VERSION "-~b-~20..0b-~20..0b.frame", [Epoch, First, Last])).

%% @doc What the name of a file says.
-spec parse_name(name()) ->
    {ok, Epoch :: pos_integer(), First :: pos_integer(), Last :: pos_integer()} | error.
parse_name(Name) ->
    Pattern = <<"^" ?VERSION "-([1-9][0-9]{0,18})-([0-9]{20})-([0-9]{20})\\.frame$">>,
    case re:run(Name, Pattern, [{capture, all_but_first, list}, dollar_endonly]) of
        {match, Numbers} ->
            case [list_to_integer(Number) || Number <- Numbers] of
                [Epoch, First, Last] when First >= 1, Last >= First -> {ok, Epoch, First, Last};
                _ -> error
            end;
        nomatch ->
            error
    end.

%%%===================================================================
%%% Files
%%%===================================================================

%% Its frame stays in memory, and so do others until files may be tried again.
-spec unwritten(name(), binary(), state()) -> state().
unwritten(Name, Bin, Q) ->
    Q1 = Q#queue{is_writable = false},
    replace(Name, Q1, fun(#frame{bytes = Bytes} = Frame, #queue{memory = Memory, disk = Disk} = Q2) ->
        {[Frame#frame{place = Bin}], Q2#queue{memory = Memory + Bytes, disk = Disk - Bytes}}
    end).

%% Files may be tried again: first with what is above the memory limit, so that each try that fails
%% does not add to it.
-spec writable(state()) -> {state(), [effect()]}.
writable(#queue{ready = Ready} = Q) ->
    spill(lists:reverse(queue:to_list(Ready)), [], Q#queue{is_writable = true}, []).

%% From the newest frame on: the oldest will be sent first.
-spec spill([#frame{}], [#frame{}], state(), [effect()]) -> {state(), [effect()]}.
spill([#frame{place = Bin, bytes = Bytes} = Frame | Older], Newer, Q, Effects) when is_binary(Bin) ->
    #queue{limits = #{memory := Max}, memory = Memory, disk = Disk} = Q,
    case Memory > Max andalso takes_file(Q) of
        true ->
            Q1 = Q#queue{memory = Memory - Bytes, disk = Disk + Bytes},
            spill(Older, [Frame#frame{place = file} | Newer], Q1, [{write, name(Frame, Q), Bin} | Effects]);
        false ->
            {Q#queue{ready = queue:from_list(lists:reverse(Older, [Frame | Newer]))}, Effects}
    end;
spill([Frame | Older], Newer, Q, Effects) ->
    spill(Older, [Frame | Newer], Q, Effects);
spill([], Newer, Q, Effects) ->
    {Q#queue{ready = queue:from_list(Newer)}, Effects}.

%% A file is gone or damaged; its messages are lost.
-spec unreadable(name(), state()) -> state().
unreadable(Name, Q) ->
    replace(Name, Q, fun(#frame{bytes = Bytes} = Frame, #queue{disk = Disk, messages = Messages} = Q1) ->
        Count = count(Frame),
        {[], lost(Count, Q1#queue.lost_topic, Q1#queue{disk = Disk - Bytes, messages = Messages - Count})}
    end).

%% Changes the frame that is in a file of this name. Only frames that are to be sent are looked for:
%% the files of the others are not needed unless they have to be sent again.
-spec replace(name(), state(), fun((#frame{}, state()) -> {[#frame{}], state()})) -> state().
replace(Name, #queue{epoch = Epoch, ready = Ready} = Q, Change) ->
    {ok, Epoch, First, _} = parse_name(Name),
    {Before, After} = lists:splitwith(fun(#frame{first = Other}) -> Other =/= First end, queue:to_list(Ready)),
    case After of
        [#frame{place = file} = Frame | Rest] ->
            {Changed, Q1} = Change(Frame, Q),
            Q1#queue{ready = queue:from_list(Before ++ Changed ++ Rest)};
        _ ->
            Q
    end.

%% @doc The files of the queue.
-spec files(state()) -> [name()].
files(Q) ->
    [name(Frame, Q) || #frame{place = file} = Frame <- queue:to_list((down(Q))#queue.ready)].

-spec close(state()) -> {state(), [effect()]}.
close(Q) ->
    {#queue{ready = Ready, memory = Memory, disk = Disk} = Q1, Effects} = close_batch(Q),
    Frames = queue:to_list(Ready),
    Writes = [{write, name(Frame, Q1), Bin} || #frame{place = Bin} = Frame <- Frames, is_binary(Bin)],
    Bytes = lists:sum([Size || #frame{place = Bin, bytes = Size} <- Frames, is_binary(Bin)]),
    Written = queue:from_list([Frame#frame{place = file} || Frame <- Frames]),
    {Q1#queue{ready = Written, memory = Memory - Bytes, disk = Disk + Bytes}, Effects ++ Writes}.

%% @doc What is worth showing. `messages' are those that are not committed, `since' is when the oldest
%% of them arrived.
-spec info(state()) -> info().
info(#queue{open = Open, sent = Sent, ready = Ready} = Q) ->
    Oldest = [Since || {value, #frame{since = Since}} <- [queue:peek(Sent), queue:peek(Ready)]],
    Since =
        case {Oldest, Open} of
            {[First | _], _} ->
                First;
            {[], [_ | _]} ->
                {_, _, Arrival, _, _} = lists:last(Open),
                Arrival;
            {[], []} ->
                none
        end,
    #{
        messages => Q#queue.messages + Q#queue.open_count,
        memory => Q#queue.memory + Q#queue.open_bytes,
        disk => Q#queue.disk,
        lost => Q#queue.lost_total,
        committed => Q#queue.committed,
        since => Since,
        connected => Q#queue.link =:= connected
    }.
