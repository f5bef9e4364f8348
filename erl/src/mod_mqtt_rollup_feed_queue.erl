%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The messages that the program has not committed yet. Pure: knows no process, no file and no
%% clock; what is to be done with files is returned as effects.
%%
%%   add --> open batch --close--> ready frames --next--> sent frames --committed--> gone
%%                                      ^                       |
%%                                      +-------- down ---------+
%%
%% A frame is a batch as it goes to the program (docs/PROTOCOL.md: feed), in memory or in a file of its
%% own. Messages are numbered when their batch is closed. As in Nagle's algorithm a batch goes out at
%% once if the program has committed everything before it, else when it is full or something is
%% committed: an idle feed is quick, a busy one pays per batch.
%%
%% The limits decide where a frame is put and when there is no room, nothing else: whoever adds
%% messages asks has_room/1 before. What is added without room is kept all the same.
%%
%% A message may be what makes the program crash, and would be sent again for ever. When some runs in a
%% row have crashed with frames on their way and nothing committed, the messages of the first frame go
%% one by one, then two, then four …, each after those before are committed; a crash makes it one again.
%% So it is known which one it is, and when some more runs have crashed at it it is skipped. Only one until
%% something is committed: if the next one does the same, it is not the messages.
-module(mod_mqtt_rollup_feed_queue).

-export([new/2, restore/4, set_limits/2]).
-export([add/2, lost/3, has_room/1]).
-export([up/2, down/1, crashed/1, committed/3, flush/1, next/1, part/3, skip/3, heartbeat/2]).
-export([unwritten/3, is_writable/1, writable/1, unreadable/2, files/1, close/1]).
-export([info/1, parse_name/1, bytes/3]).

-export_type([state/0, message/0, limits/0, effect/0, source/0, name/0, stored/0, info/0]).

-define(BATCH_MESSAGES, 1000).
-define(BATCH_BYTES, 256 * 1024).
-define(WINDOW_FRAMES, 8).
-define(WINDOW_BYTES, 4 * 1024 * 1024).
%% Runs that crash in a row with nothing committed until messages go one by one, and until one is skipped.
-define(CRASHES_TOGETHER, 3).
-define(CRASHES_AT_ALL, 6).
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
-type effect() :: {write, name(), binary()} | {delete, name()}.
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
    %% What the last run had not committed when it ended: the number of the last message in its first frame.
    unfinished = none :: none | pos_integer(),
    %% Runs that have crashed in a row with something on its way and nothing committed.
    crashes = 0 :: non_neg_integer(),
    %% Messages up to this number go in parts of frames; how many in the next one; the last one of the part
    %% that is on its way; and the newest that was skipped.
    parts_until = 0 :: non_neg_integer(),
    part_size = 1 :: pos_integer(),
    part_last = none :: none | pos_integer(),
    skipped = 0 :: non_neg_integer(),
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

-spec set_limits(limits(), state()) -> state().
set_limits(Limits, Q) ->
    Q#queue{limits = Limits}.

%%%===================================================================
%%% What comes in
%%%===================================================================

%% @doc Takes messages in, in this order.
-spec add([message()], state()) -> {state(), [effect()]}.
add(Messages, #queue{open = Open, open_count = Count, open_bytes = Bytes, newest = Newest} = Q) ->
    append(Messages, Open, Count, Bytes, Newest, Q, []).

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

%% @doc Notes that messages were dropped, the newest one with this topic.
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

%% @doc A run of the program begins; it will say where it stands. It has been told of no time yet: what the
%% one before was told by a clock that was ahead is over.
-spec up(NowMs :: integer(), state()) -> state().
up(Now, #queue{newest = Newest} = Q) ->
    (down(Q))#queue{link = waiting, unfinished = none, newest = min(Newest, Now)}.

%% @doc The run is over: all that it has not committed is to be sent again.
-spec down(state()) -> state().
down(#queue{ready = Ready, sent = Sent} = Q) ->
    Q1 = note_unfinished(Q),
    Q1#queue{
        link = down, ready = queue:join(Sent, Ready), sent = queue:new(), sent_bytes = 0, part_last = none, flush = false
    }.

-spec note_unfinished(state()) -> state().
note_unfinished(#queue{link = connected, sent = Sent, part_last = PartLast} = Q) ->
    case {queue:peek(Sent), PartLast} of
        {{value, #frame{last = Last}}, none} -> Q#queue{unfinished = Last};
        {empty, PartLast} -> Q#queue{unfinished = PartLast}
    end;
note_unfinished(Q) ->
    Q.

%% @doc The run that is over has not ended because it was told to, or was killed by somebody.
-spec crashed(state()) -> state().
crashed(#queue{unfinished = none} = Q) ->
    Q;
crashed(#queue{unfinished = Last, crashes = Crashes, parts_until = Until} = Q) ->
    Q1 = Q#queue{unfinished = none, crashes = Crashes + 1, part_size = 1},
    case Crashes + 1 >= ?CRASHES_TOGETHER of
        true -> Q1#queue{parts_until = max(Last, Until)};
        false -> Q1
    end.

%% @doc The program has committed everything up to a number of an epoch. The first time in a run this
%% says where it begins.
-spec committed(Epoch :: non_neg_integer(), Number :: non_neg_integer(), state()) -> {state(), [effect()]}.
committed(_, _, #queue{link = down} = Q) ->
    {Q, []};
committed(Epoch, Number, #queue{epoch = Epoch} = Q) ->
    #queue{next = Next, open_count = Count} = Q,
    {Q1, Effects} = drop(Number, progress(Number, Q)),
    {
        Q1#queue{
            link = connected,
            %% Numbers that the program has seen would be ignored.
            next = max(Next, Number + 1),
            flush = Count > 0
        },
        Effects
    };
committed(_, _, Q) ->
    {Q#queue{link = connected}, []}.

-spec progress(non_neg_integer(), state()) -> state().
progress(Number, #queue{committed = Committed} = Q) when Number =< Committed ->
    Q;
progress(Number, #queue{part_last = Last, part_size = Size} = Q) when is_integer(Last), Number >= Last ->
    Q#queue{committed = Number, crashes = 0, part_last = none, part_size = 2 * Size};
progress(Number, Q) ->
    Q#queue{committed = Number, crashes = 0}.

%% @doc The open batch needs not wait for what comes after it.
-spec flush(state()) -> state().
flush(#queue{open_count = Count} = Q) ->
    Q#queue{flush = Count > 0}.

%% @doc The frame that may go to the program now, whole or a part/3 of it, and the queue for the case that
%% it does. Or the frame of a message that skip/3 is to leave out first.
-spec next(state()) ->
    nothing
    | {send, source(), all | {part, First :: pos_integer(), Last :: pos_integer()}, state()}
    | {skip, source(), Number :: pos_integer()}.
next(#queue{link = connected, ready = Ready, parts_until = Until} = Q) ->
    case queue:peek(Ready) of
        {value, #frame{first = First} = Frame} when First =< Until ->
            next_part(Frame, Q);
        {value, #frame{bytes = Bytes} = Frame} ->
            case is_window_open(Bytes, Q) of
                true -> {send, source(Frame, Q), all, sent(Frame, Q#queue{ready = queue:drop(Ready)})};
                false -> nothing
            end;
        empty ->
            next_batch(Q)
    end;
next(_) ->
    nothing.

%% The frame stays where it is until all of it is committed.
-spec next_part(#frame{}, state()) ->
    nothing | {send, source(), {part, pos_integer(), pos_integer()}, state()} | {skip, source(), pos_integer()}.
next_part(_, #queue{part_last = Last}) when is_integer(Last) ->
    nothing;
next_part(#frame{first = First, last = Last} = Frame, #queue{committed = Committed, skipped = Skipped} = Q) ->
    From = max(First, max(Committed, Skipped) + 1),
    case Q#queue.crashes >= ?CRASHES_AT_ALL andalso Skipped =< Committed of
        true ->
            {skip, source(Frame, Q), From};
        false ->
            To = min(Last, From + Q#queue.part_size - 1),
            {send, source(Frame, Q), {part, From, To}, Q#queue{part_last = To}}
    end.

%% @doc Leaves out the message that next/1 has named; and how many lost ones its frame was to tell of.
-spec skip(pos_integer(), Untold :: non_neg_integer(), state()) -> {state(), [effect()]}.
skip(Number, Untold, #queue{lost = Lost} = Q) ->
    drop(Number, Q#queue{skipped = Number, crashes = 0, lost = Lost + Untold}).

%% @doc Some messages of a frame as a frame: everything that arrived until the last of them is there.
-spec part(First :: pos_integer(), Last :: pos_integer(), binary()) ->
    {[message(), ...], Lost :: non_neg_integer(), binary()}.
part(From, To, Bin) ->
    {feed, Epoch, First, _, Lost, LostTopic, All} = binary_to_term(Bin),
    Messages = lists:sublist(All, From - First + 1, To - From + 1),
    {_, _, Arrival, _, _} = lists:last(Messages),
    Told =
        case From of
            First -> Lost;
            _ -> 0
        end,
    {Messages, Told, term_to_binary({feed, Epoch, From, Arrival, Told, LostTopic, Messages})}.

-spec next_batch(state()) -> nothing | {send, source(), all, state()}.
next_batch(#queue{open_count = 0}) ->
    nothing;
next_batch(#queue{sent = Sent, flush = Flush, open_bytes = Bytes} = Q) ->
    case (Flush orelse queue:is_empty(Sent)) andalso is_window_open(Bytes, Q) of
        true ->
            %% It goes out at once, so it is not worth a file.
            {#frame{place = Bin, bytes = Size} = Frame, Q1} = seal(Q),
            Q2 = Q1#queue{memory = Q1#queue.memory + Size, messages = Q1#queue.messages + count(Frame)},
            {send, {memory, Bin}, all, sent(Frame, Q2)};
        false ->
            nothing
    end.

%% @doc Tells a program that waits for messages that there were none until now, and what was lost.
-spec heartbeat(NowMs :: integer(), state()) -> nothing | {send, binary(), state()}.
heartbeat(Now, #queue{link = connected, open_count = 0, ready = Ready, newest = Newest} = Q) ->
    case queue:is_empty(Ready) of
        true ->
            UpTo = max(Now, Newest),
            {send, encode(UpTo, Q), Q#queue{newest = UpTo, lost = 0, lost_topic = <<>>}};
        false ->
            nothing
    end;
heartbeat(_, _) ->
    nothing.

-spec is_window_open(non_neg_integer(), state()) -> boolean().
is_window_open(Bytes, #queue{sent = Sent, sent_bytes = SentBytes}) ->
    case queue:len(Sent) of
        0 -> true;
        Frames -> Frames < ?WINDOW_FRAMES andalso SentBytes + Bytes =< ?WINDOW_BYTES
    end.

-spec sent(#frame{}, state()) -> state().
sent(#frame{bytes = Bytes} = Frame, #queue{sent = Sent, sent_bytes = SentBytes} = Q) ->
    Q#queue{sent = queue:in(Frame, Sent), sent_bytes = SentBytes + Bytes}.

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

%% @doc A file could not be written: its frame stays in memory, and so do others until writable/1.
-spec unwritten(name(), binary(), state()) -> state().
unwritten(Name, Bin, Q) ->
    Q1 = Q#queue{is_writable = false},
    replace(Name, Q1, fun(#frame{bytes = Bytes} = Frame, #queue{memory = Memory, disk = Disk} = Q2) ->
        {[Frame#frame{place = Bin}], Q2#queue{memory = Memory + Bytes, disk = Disk - Bytes}}
    end).

-spec is_writable(state()) -> boolean().
is_writable(#queue{is_writable = IsWritable}) ->
    IsWritable.

%% @doc Files may be tried again: first with what is above the memory limit, so that each try that fails
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

%% @doc A file is gone or damaged; its messages are lost.
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

%% @doc The end: everything goes to files, whatever the limits. What is added then is written by another
%% close.
-spec close(state()) -> {state(), [{write, name(), binary()}]}.
close(Q) ->
    {#queue{ready = Ready} = Q1, Effects} = close_batch(down(Q)),
    Frames = queue:to_list(Ready),
    Writes = [{write, name(Frame, Q1), Bin} || #frame{place = Bin} = Frame <- Frames, is_binary(Bin)],
    Bytes = lists:sum([Size || #frame{place = Bin, bytes = Size} <- Frames, is_binary(Bin)]),
    Written = [Frame#frame{place = file} || Frame <- Frames],
    {
        Q1#queue{
            ready = queue:from_list(Written),
            memory = Q1#queue.memory - Bytes,
            disk = Q1#queue.disk + Bytes
        },
        [Write || {write, _, _} = Write <- Effects] ++ Writes
    }.

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
