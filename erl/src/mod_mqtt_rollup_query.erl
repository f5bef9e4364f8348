%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Questions to the program in the name of somebody. What they may not see is left out, and looks
%% exactly as if it did not exist: names are resolved to keys, access to each key is decided, and only then
%% is anything of a series asked for.
-module(mod_mqtt_rollup_query).

-export([ask/3, ask/4]).

-export_type([ask/0, failure/0]).

%% A name is looked up as it is; `after' is the `next' of an answer to the same asker, or empty.
-type ask() ::
    status
    | {series, #{filter := binary(), 'after' := binary(), max := pos_integer()}}
    | {history, #{series := binary(), 'after' := binary(), atom() => term()}}.
%% `alike': not found, but these names, parted by commas, are spelt alike.
-type failure() :: {Code :: atom() | alike, Place :: binary(), Message :: binary()}.
-type key() :: {Stream :: binary(), Broker :: binary(), Topic :: binary(), Field :: binary()}.
-type fetch() :: fun((term()) -> {ok, map()} | {error, failure()}).
%% Sees everything: whoever administers the server.
-type asker() :: everything | mod_mqtt_rollup_access:subject().
%% All that there are; as many as there was room for, and there are others; or those that were found until
%% the time was over, and what was looked at last.
-type found() :: {all | full, [key()]} | {late, [key()], key()} | {error, failure()}.

-define(TIMEOUT, 10000).
%% So long names are looked at for one answer. It is shorter if it takes longer, and says `next'.
-define(LOOK_MS, 1000).
%% Names that are looked at before it is asked for the time.
-define(BATCH, 1000).
%% Of the names in an answer, which are in its rows too: far below what a frame or a stanza may have.
-define(NAME_BYTES, 1024 * 1024).
-define(SUGGESTIONS, 3).
%% Positions are padded to multiples of it, so that the length of a hidden name is not told by a cursor.
-define(PADDING, 256).

%% @doc Asks the program of a virtual host. Takes as long as the program; call it from a process that
%% may wait.
-spec ask(binary(), asker(), ask()) -> {ok, map()} | {error, failure()}.
ask(VHost, Asker, Ask) ->
    Fetch = fun(Question) -> mod_mqtt_rollup_port:request(VHost, Question, ?TIMEOUT) end,
    ask(Fetch, Asker, Ask, erlang:monotonic_time(millisecond) + ?LOOK_MS).

%% @doc The same with another way to the program; looks at names until a moment of the monotonic clock.
-spec ask(fetch(), asker(), ask(), Until :: integer()) -> {ok, map()} | {error, failure()}.
ask(Fetch, _, status, _) ->
    Fetch(status);
ask(Fetch, Asker, {history, #{series := Name} = Question}, Until) ->
    case resolve(Fetch, Asker, Name, Until) of
        {ok, Key} -> history(Fetch, Asker, Question#{series := Key});
        {error, _} = Error -> Error
    end;
ask(Fetch, Asker, {series, #{filter := Filter, 'after' := After} = Question}, Until) ->
    case open(Asker, {series, Filter}, After) of
        {ok, Position} -> series(Fetch, Asker, Question, position(Position, Filter), Until);
        error -> bad_cursor()
    end.

%%%===================================================================
%%% A history
%%%===================================================================

-spec history(fetch(), asker(), map()) -> {ok, map()} | {error, failure()}.
history(Fetch, Asker, #{series := Key, 'after' := After} = Question) ->
    case open(Asker, {history, Key}, After) of
        {ok, Cursor} ->
            case Fetch({history, Question#{'after' := Cursor}}) of
                {ok, #{next := Next} = Answer} -> {ok, Answer#{next := seal(Asker, {history, Key}, Next)}};
                {error, _} = Error -> Error
            end;
        error ->
            bad_cursor()
    end.

%% The one series that is meant, among those that the asker may see.
-spec resolve(fetch(), asker(), binary(), integer()) -> {ok, key()} | {error, failure()}.
resolve(Fetch, Asker, Text, Until) ->
    case find(Fetch, Asker, Text, exact, Until) of
        {error, _} = Error -> Error;
        [] -> not_found(find(Fetch, Asker, Text, alike, Until));
        [Key] -> {ok, Key};
        Keys -> choose(Text, Keys)
    end.

-spec choose(binary(), [key(), ...]) -> {ok, key()} | {error, failure()}.
choose(Text, Keys) ->
    Named = [Key || Key <- Keys, name(Key) =:= Text orelse full_name(Key) =:= Text],
    case {Named, lists:usort([Stream || {Stream, _, _, _} <- Named])} of
        {[Key | _], [_]} -> {ok, Key};
        {[], _} -> several(<<"several series have this topic">>, [name(Key) || Key <- Keys]);
        _ -> several(<<"several streams have a series of this name">>, [full_name(Key) || Key <- Named])
    end.

-spec several(binary(), [binary()]) -> {error, failure()}.
several(What, Choices) ->
    {error, {bad_request, <<"series">>, <<What/binary, ", choose one of ", (listed(Choices))/binary>>}}.

-spec not_found([key()] | {error, failure()}) -> {error, failure()}.
not_found([_ | _] = Keys) ->
    {error, {alike, <<"series">>, listed([name(Key) || Key <- Keys])}};
not_found(_) ->
    {error, {not_found, <<"series">>, <<"There is no such series">>}}.

%% A few that may be seen.
-spec find(fetch(), asker(), binary(), exact | alike, integer()) -> [key()] | {error, failure()}.
find(Fetch, Asker, Text, Match, Until) ->
    Room = #{exact => ?BATCH, alike => ?SUGGESTIONS},
    case walk(Fetch, Asker, {Text, Match, null}, maps:get(Match, Room), Until) of
        {late, Keys, _} -> Keys;
        {error, _} = Error -> Error;
        {_, Keys} -> Keys
    end.

-spec name(key()) -> binary().
name({_, _, Topic, <<>>}) -> Topic;
name({_, _, Topic, Field}) -> <<Topic/binary, "/", Field/binary>>.

-spec full_name(key()) -> binary().
full_name({Stream, _, _, _} = Key) ->
    <<Stream/binary, ":", (name(Key))/binary>>.

-spec listed([binary()]) -> binary().
listed(Names) ->
    iolist_to_binary(lists:join(", ", Names)).

%%%===================================================================
%%% The list of series
%%%===================================================================

%% A filter that is the name or the topic of visible series means them, otherwise it is a part of names. Whether
%% there are hidden ones makes no difference.
-spec series(fetch(), asker(), map(), {exact | part, key() | null}, integer()) -> {ok, map()} | {error, failure()}.
series(Fetch, Asker, #{filter := Filter, max := Max} = Question, {Match, After}, Until) ->
    case walk(Fetch, Asker, {Filter, Match, After}, Max, Until) of
        {all, []} when Match =:= exact, After =:= null ->
            series(Fetch, Asker, Question, {part, null}, Until);
        {all, Keys} ->
            rows(Fetch, Keys, <<>>);
        {full, Keys} ->
            rows(Fetch, Keys, seal(Asker, {series, Filter}, term_to_binary({Match, lists:last(Keys)})));
        {late, Keys, Last} ->
            rows(Fetch, Keys, seal(Asker, {series, Filter}, term_to_binary({Match, Last})));
        {error, _} = Error ->
            Error
    end.

-spec rows(fetch(), [key()], binary()) -> {ok, map()} | {error, failure()}.
rows(_, [], Next) ->
    {ok, #{rows => [], next => Next}};
rows(Fetch, Keys, Next) ->
    case Fetch({series, Keys}) of
        {ok, Answer} -> {ok, Answer#{next => Next}};
        {error, _} = Error -> Error
    end.

-spec position(binary(), Filter :: binary()) -> {exact | part, key() | null}.
position(<<>>, <<>>) ->
    {part, null};
position(<<>>, Filter) ->
    case binary:match(Filter, [<<"+">>, <<"#">>]) of
        nomatch -> {exact, null};
        _ -> {part, null}
    end;
position(Position, _) ->
    %% It was made by this module.
    binary_to_term(Position, [safe]).

%%%===================================================================
%%% Names, and who may see them
%%%===================================================================

%% The first visible ones behind a key, at most `Max' and ?NAME_BYTES of them.
-spec walk(fetch(), asker(), {binary(), exact | part | alike, key() | null}, pos_integer(), integer()) -> found().
walk(Fetch, Asker, {Text, Match, After}, Max, Until) ->
    Question = #{filter => Text, match => Match, 'after' => After, max => ?BATCH},
    walk(Fetch, Asker, Question, {Max, ?NAME_BYTES}, [], Until).

-spec walk(fetch(), asker(), map(), {non_neg_integer(), integer()}, [key()], integer()) -> found().
walk(Fetch, Asker, Question, Room, Found, Until) ->
    case Fetch({names, Question}) of
        {ok, #{names := Keys, more := More}} ->
            case take(Asker, Keys, Room, Found) of
                {full, Found1} ->
                    {full, lists:reverse(Found1)};
                {_, Found1} when not More ->
                    {all, lists:reverse(Found1)};
                {Room1, Found1} ->
                    Last = lists:last(Keys),
                    case erlang:monotonic_time(millisecond) < Until of
                        true -> walk(Fetch, Asker, Question#{'after' := Last}, Room1, Found1, Until);
                        false -> {late, lists:reverse(Found1), Last}
                    end
            end;
        {error, _} = Error ->
            Error
    end.

%% Full is what has no room for another visible one: where only hidden ones follow there is no next page.
-spec take(asker(), [key()], Room, [key()]) -> {full | Room, [key()]} when Room :: {non_neg_integer(), integer()}.
take(_, [], Room, Found) ->
    {Room, Found};
take(Asker, [{_, _, Topic, Field} = Key | Keys], {Count, Bytes} = Room, Found) ->
    case may_see(Asker, Topic) of
        true when Count =:= 0; Bytes =< 0 -> {full, Found};
        true -> take(Asker, Keys, {Count - 1, Bytes - byte_size(Topic) - byte_size(Field)}, [Key | Found]);
        false -> take(Asker, Keys, Room, Found)
    end.

-spec may_see(asker(), binary()) -> boolean().
may_see(everything, _) -> true;
may_see(Subject, Topic) -> mod_mqtt_rollup_access:may_see(Subject, Topic).

%%%===================================================================
%%% Cursors
%%%===================================================================

%% A cursor may stand at a name that its holder must not see. So it is encrypted, with a secret of this run, and
%% good only for the same asker and the same question.
-spec seal(asker(), term(), binary()) -> binary().
seal(_, _, <<>>) ->
    <<>>;
seal(Asker, About, Position) ->
    Iv = crypto:strong_rand_bytes(12),
    Rest = (?PADDING - (byte_size(Position) + 4) rem ?PADDING) rem ?PADDING,
    Padded = <<(byte_size(Position)):32, Position/binary, 0:Rest/unit:8>>,
    {Text, Tag} = crypto:crypto_one_time_aead(
        aes_256_gcm, secret(), Iv, Padded, associated(Asker, About), 16, true
    ),
    base64:encode(<<Iv/binary, Tag/binary, Text/binary>>).

-spec open(asker(), term(), binary()) -> {ok, binary()} | error.
open(_, _, <<>>) ->
    {ok, <<>>};
open(Asker, About, Cursor) ->
    try base64:decode(Cursor) of
        <<Iv:12/binary, Tag:16/binary, Text/binary>> ->
            case crypto:crypto_one_time_aead(aes_256_gcm, secret(), Iv, Text, associated(Asker, About), Tag, false) of
                <<Size:32, Position:Size/binary, _/binary>> -> {ok, Position};
                _ -> error
            end;
        _ ->
            error
    catch
        %% Whatever else it is, it is no cursor.
        error:_ -> error
    end.

-spec associated(asker(), term()) -> binary().
associated(everything, About) -> term_to_binary({everything, About});
associated(Subject, About) -> term_to_binary({mod_mqtt_rollup_access:who(Subject), About}).

%% Two that make it at the same time are no harm: one of their cursors is refused.
-spec secret() -> binary().
secret() ->
    case persistent_term:get(?MODULE, none) of
        none ->
            persistent_term:put(?MODULE, crypto:strong_rand_bytes(32)),
            persistent_term:get(?MODULE);
        Secret ->
            Secret
    end.

-spec bad_cursor() -> {error, failure()}.
bad_cursor() ->
    {error,
        {bad_request, <<"after">>, <<"this is not where a page of this answer ended, begin again without it">>}}.
