//! The sections of a document: one list of rows each, with the statements that read and write them.
//!
//! Rows are named by words of the domain: a place by its written address, a token by its number. Rows of the state that others refer to keep
//! their numbers wherever they are moved: a message's number makes its nonce (`rules.md` 4.1).

use super::{
    Section,
    cells::{
        AddressText, AlertStateText, AnyJson, BodyJson, CadenceJson, Cell, CrossingJson, DecisionText, DeliveryText, DirectionText,
        FeedText, KindText, LaterFlag, LevelsJson, MentionJson, MessageStateText, Moment, MoverJson, Name, NatureText, NoticeName, Number,
        PassedJson, PlaceText, Places, PlatformText, QuarantineText, ReasonText, ScoresJson, SettingsJson, SourceText, StanceText,
        TargetText, Text, ThresholdText, TimingText, TokenNewsJson, UnconfirmedJson, UpdateBody, UpdateStateText, ValuesJson,
    },
};
use crate::domain::Address;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

section! {
    /// A place that is told.
    Destination: "destinations" of "destinations" "" named { address: AddressText = ADDRESS address } {
        place: PlaceText = TEXT place,
        tenant: Option<Text> = TEXT tenant,
        label: Option<Name> = TEXT label,
        locale: Option<Text> = TEXT locale,
        settings: SettingsJson = TEXT settings,
        muted_until: Option<Moment> = BIGINT muted_until,
        creator: Option<Text> = TEXT creator,
        created_at: Moment = BIGINT created_at,
        forgotten_at: Option<Moment> = BIGINT forgotten_at,
    } derived {
        TEXT platform = |row| parts(row).0.into(),
        TEXT chat = |row| parts(row).1.into(),
        TEXT topic = |row| parts(row).2.into(),
        BIGINT rest_until = |_| 0.into(),
        BIGINT probes = |_| 0.into(),
    } key [address] order ["x.platform", "x.chat", "x.topic"]
    conflict "ON CONFLICT (platform, chat, topic) DO UPDATE SET place = excluded.place, tenant = excluded.tenant, label = excluded.label,
        locale = excluded.locale, settings = excluded.settings, muted_until = excluded.muted_until,
        creator = excluded.creator, created_at = excluded.created_at, forgotten_at = excluded.forgotten_at"
}

fn parts(row: &Destination) -> (&'static str, String, String) {
    let address = Address::parse(&row.address.0);
    address.map_or_else(Default::default, |address| (address.platform.as_str(), address.chat, address.topic.unwrap_or_default()))
}

section! {
    /// What a place wants to hear of.
    Subscription: "subscriptions" of "subscriptions" "JOIN destinations d ON d.id = x.destination_id" {
        destination: AddressText = PLACE destination_id,
        source: SourceText = TEXT source,
        target: TargetText = TEXT target,
        kind: KindText = TEXT kind,
        direction: DirectionText = TEXT direction,
        delivery: DeliveryText = TEXT delivery,
        mention: Option<Text> = TEXT mention,
        filter: Option<Text> = TEXT filter,
        threshold: Option<ThresholdText> = TEXT threshold,
        threshold_at: Option<Moment> = BIGINT threshold_at,
        creator: Text = TEXT creator,
        created_at: Moment = BIGINT created_at,
        updated_at: Moment = BIGINT updated_at,
    } key [destination, target, kind] order ["d.platform", "d.chat", "d.topic", "x.kind", "x.target"]
    conflict "ON CONFLICT (destination_id, target, kind) DO UPDATE SET source = excluded.source, direction = excluded.direction,
        delivery = excluded.delivery, mention = excluded.mention, filter = excluded.filter, threshold = excluded.threshold, threshold_at = excluded.threshold_at,
        creator = excluded.creator, created_at = excluded.created_at, updated_at = excluded.updated_at"
}

section! {
    /// A token that a place left out of its `all`.
    Exclusion: "exclusions" of "exclusions" "JOIN destinations d ON d.id = x.destination_id" {
        destination: AddressText = PLACE destination_id,
        source: SourceText = TEXT source,
        kind: KindText = TEXT kind,
        token: Number = BIGINT token_id,
        created_at: Moment = BIGINT created_at,
    } key [destination, source, kind, token] order ["d.platform", "d.chat", "d.topic", "x.source", "x.kind", ("x.token_id")]
    conflict "ON CONFLICT (destination_id, source, kind, token_id) DO UPDATE SET created_at = excluded.created_at"
}

section! {
    /// A token that a place wants to be quiet about; of everything, that stands with the place.
    Mute: "mutes" of "token_mutes" "JOIN destinations d ON d.id = x.destination_id" {
        destination: AddressText = PLACE destination_id,
        source: SourceText = TEXT source,
        token: Number = BIGINT token_id,
        muted_until: Moment = BIGINT muted_until,
    } key [destination, source, token] order ["d.platform", "d.chat", "d.topic", "x.source", ("x.token_id")]
    conflict "ON CONFLICT (destination_id, source, token_id) DO UPDATE SET muted_until = excluded.muted_until"
}

section! {
    /// A token of the directory.
    Token: "tokens" of "tokens" "" {
        source: SourceText = TEXT source,
        token: Number = BIGINT token_id,
        symbol: Name = TEXT symbol,
        name: Name = TEXT name,
        rank: Option<Number> = BIGINT market_rank,
        link: Option<Text> = TEXT link,
        in_all: bool = BOOLEAN in_all,
        refreshes_out: Number = BIGINT refreshes_out,
        first_seen_at: Moment = BIGINT first_seen_at,
        refreshed_at: Moment = BIGINT refreshed_at,
        listed_at: Option<Moment> = BIGINT listed_at,
        lists_missed: Option<Number> = BIGINT lists_missed,
        delisted_at: Option<Moment> = BIGINT delisted_at,
        former: Option<Name> = TEXT former_key,
        category: Option<Name> = TEXT category,
    } derived {
        TEXT symbol_key = |row| row.symbol.0.to_uppercase().into(),
        TEXT name_key = |row| row.name.0.to_uppercase().into(),
    } key [source, token] order ["x.source", ("x.token_id")]
}

section! {
    /// How a feed is doing.
    FeedState: "feeds" of "feeds" "" {
        source: SourceText = TEXT source,
        feed: FeedText = TEXT feed,
        version: Number = BIGINT version,
        cadence: CadenceJson = TEXT cadence,
        tokens: Number = BIGINT tokens,
        next_poll_at: Option<Moment> = BIGINT next_poll_at,
        last_poll_at: Option<Moment> = BIGINT last_poll_at,
        last_success_at: Option<Moment> = BIGINT last_success_at,
        failures: Number = BIGINT failures,
        problem: Option<Text> = TEXT problem,
        stopped: bool = BOOLEAN stopped,
        refused: bool = BOOLEAN refused,
        empty_since: Option<Moment> = BIGINT empty_since,
        unconfirmed: Option<UnconfirmedJson> = TEXT unconfirmed,
    } key [source, feed] order ["x.source", "x.feed"]
}

section! {
    /// A call to a source: what was called stays counted.
    Call: "calls" of "call_ledger" "" {
        source: SourceText = TEXT source,
        endpoint: Text = TEXT endpoint,
        purpose: Text = TEXT purpose,
        called_at: Moment = BIGINT called_at,
        status: Option<Number> = BIGINT status,
    } key [] order [("x.id")]
}

section! {
    /// A look-up that a person caused.
    Lookup: "lookups" of "lookups" "" {
        source: SourceText = TEXT source,
        person: Text = TEXT person,
        query: Text = TEXT query,
        found: bool = BOOLEAN found,
        asked_at: Moment = BIGINT asked_at,
    } key [] order [("x.id")]
}

section! {
    /// The call of a token as it is known: the baseline of the next poll.
    Stance: "stances" of "token_states" "" {
        source: SourceText = TEXT source,
        kind: KindText = TEXT kind,
        token: Number = BIGINT token_id,
        stance: Option<StanceText> = TEXT stance,
        since_at: Option<Moment> = BIGINT since_at,
        since_exact: bool = BOOLEAN since_exact,
        data_time: Moment = BIGINT data_time,
        settled: bool = BOOLEAN settled,
        corrected: bool = BOOLEAN corrected,
        stored_at: Moment = BIGINT stored_at,
        seen_at: Moment = BIGINT seen_at,
        asked_at: Moment = BIGINT asked_at,
        trader_grade: Option<f64> = REAL trader_grade,
        pending: Option<StanceText> = TEXT pending,
        passed: Option<PassedJson> = TEXT passed,
        scores: Option<ScoresJson> = TEXT scores,
        levels: Option<LevelsJson> = TEXT levels,
        fingerprint: Option<i64> = BIGINT fingerprint,
    } key [source, kind, token] order ["x.source", "x.kind", ("x.token_id")]
}

section! {
    /// The numbers of a row, for history.
    Observation: "observations" of "observations" "" {
        source: SourceText = TEXT source,
        kind: KindText = TEXT kind,
        token: Number = BIGINT token_id,
        data_time: Moment = BIGINT data_time,
        stance: Option<StanceText> = TEXT stance,
        signal: Option<f64> = REAL signal,
        trend: Option<f64> = REAL trend,
        position: Option<f64> = REAL position,
        values: ValuesJson = TEXT row_values,
        observed_at: Moment = BIGINT observed_at,
    } key [source, kind, token, data_time] order ["x.source", "x.kind", ("x.token_id"), ("x.data_time")] history data_time
}

section! {
    /// A poll that brought a change.
    Poll: "polls" of "polls" "WHERE EXISTS (SELECT 1 FROM changes c WHERE c.poll_id = x.id)" {
        id: Number = BIGINT id,
        source: SourceText = TEXT source,
        feed: FeedText = TEXT feed,
        started_at: Moment = BIGINT started_at,
        finished_at: Moment = BIGINT finished_at,
        outcome: Text = TEXT outcome,
        asked: Number = BIGINT asked,
        taken: Number = BIGINT taken,
        set_aside: Number = BIGINT set_aside,
        complete: bool = BOOLEAN complete,
    } key [id] order [("x.id")]
}

section! {
    /// A call that turned or was corrected.
    Change: "changes" of "changes" "" {
        id: Number = BIGINT id,
        poll: Number = BIGINT poll_id,
        source: SourceText = TEXT source,
        kind: KindText = TEXT kind,
        token: Number = BIGINT token_id,
        from: Option<StanceText> = TEXT from_stance,
        to: StanceText = TEXT to_stance,
        since_at: Option<Moment> = BIGINT since_at,
        since_exact: bool = BOOLEAN since_exact,
        data_time: Moment = BIGINT data_time,
        detected_at: Moment = BIGINT detected_at,
        nature: NatureText = TEXT nature,
        stored_at: Option<Moment> = BIGINT stored_at,
        supersedes: Option<Number> = BIGINT supersedes,
        timing: TimingText = TEXT timing,
        after_gap: bool = BOOLEAN after_gap,
        trader_grade: Option<f64> = REAL trader_grade,
        mover: Option<MoverJson> = TEXT mover,
        crossing: Option<CrossingJson> = TEXT crossing,
    } key [id] order [("x.id")]
}

section! {
    /// A change whose subscribers have not all been looked at. All of them are looked at again: whoever has the alert keeps it.
    FanOut: "fan_outs" of "fanout_jobs" "" {
        change: Number = BIGINT change_id,
        created_at: Moment = BIGINT created_at,
    } derived {
        BIGINT after_destination = |_| 0.into(),
    } key [change] order [("x.change_id")]
}

section! {
    /// How a place is reached, and whether.
    Reach: "reach" of "destinations" "WHERE x.route IS NOT NULL OR x.mentioned_at IS NOT NULL OR x.rest_until <> 0
        OR x.quarantine_reason IS NOT NULL OR x.probes <> 0" {
        destination: AddressText = ADDRESS id,
        route: Option<Text> = TEXT route,
        mentioned_at: Option<Moment> = BIGINT mentioned_at,
        rest_until: Moment = BIGINT rest_until,
        quarantine: Option<QuarantineText> = TEXT quarantine_reason,
        quarantined_at: Option<Moment> = BIGINT quarantined_at,
        next_probe_at: Option<Moment> = BIGINT next_probe_at,
        probes: Number = BIGINT probes,
    } key [destination] order ["x.platform", "x.chat", "x.topic"]
}

section! {
    /// What is still to be told, what could not be, whoever a fan-out under way has reached, and the newest, after which the next is numbered: a button
    /// under what was told asks for its alert by number.
    Alert: "alerts" of "alerts" "JOIN destinations d ON d.id = x.destination_id WHERE x.state IN ('pending', 'composed', 'dead')
        OR x.change_id IN (SELECT change_id FROM fanout_jobs) OR x.id = (SELECT MAX(id) FROM alerts)" {
        id: Number = BIGINT id,
        change: Number = BIGINT change_id,
        destination: AddressText = PLACE destination_id,
        decision: DecisionText = TEXT decision,
        reason: ReasonText = TEXT reason,
        lane: Number = BIGINT lane,
        release_at: Moment = BIGINT release_at,
        state: AlertStateText = TEXT state,
        created_at: Moment = BIGINT created_at,
        told_at: Option<Moment> = BIGINT told_at,
    } key [id] order [("x.id")]
}

section! {
    /// What a message tells.
    MessageAlert: "message_alerts" of "message_alerts" "WHERE EXISTS (SELECT 1 FROM alerts a WHERE a.id = x.alert_id
            AND (a.state IN ('pending', 'composed', 'dead') OR a.change_id IN (SELECT change_id FROM fanout_jobs)
                OR a.id = (SELECT MAX(id) FROM alerts)))
        AND x.message_id IN (SELECT m.id FROM messages m WHERE m.state IN ('queued', 'dead')
            OR (m.counted AND m.finished_at > (SELECT MAX(finished_at) FROM messages) - 3600000) OR m.id = (SELECT MAX(id) FROM messages))" {
        message: Number = BIGINT message_id,
        alert: Number = BIGINT alert_id,
    } key [message, alert] order [("x.message_id"), ("x.alert_id")]
}

section! {
    /// The outbox: what waits, what could not be delivered, what counts against the last hour, a place's last digest where something older waits for the
    /// next one, and the newest, after which the next is numbered. A nonce is made of the number: one that was used must not come again.
    Message: "messages" of "messages" "JOIN destinations d ON d.id = x.destination_id WHERE x.state IN ('queued', 'dead')
        OR (x.counted AND x.finished_at > (SELECT MAX(finished_at) FROM messages) - 3600000) OR x.id = (SELECT MAX(id) FROM messages)
        OR (x.lane = 3 AND x.state <> 'dropped' AND NOT EXISTS (SELECT 1 FROM messages n WHERE n.destination_id = x.destination_id AND n.lane = 3
                AND n.state <> 'dropped' AND n.created_at > x.created_at)
            AND EXISTS (SELECT 1 FROM alerts a WHERE a.destination_id = x.destination_id AND a.state = 'pending' AND a.created_at <= x.created_at))" {
        id: Number = BIGINT id,
        destination: AddressText = PLACE destination_id,
        lane: Number = BIGINT lane,
        body: BodyJson = TEXT body,
        mention: MentionJson = TEXT mention,
        counted: bool = BOOLEAN counted,
        follows: Option<Text> = TEXT follows,
        edits: LaterFlag = BOOLEAN edits,
        state: MessageStateText = TEXT state,
        next_attempt_at: Moment = BIGINT next_attempt_at,
        attempts: Number = BIGINT attempts,
        unknown_ends: Number = BIGINT unknown_ends,
        created_at: Moment = BIGINT created_at,
        finished_at: Option<Moment> = BIGINT finished_at,
        platform_id: Option<Text> = TEXT platform_id,
        problem: Option<Text> = TEXT problem,
    } derived {
        BIGINT lease_fence = |_| 0.into(),
        TEXT platform = |row| Address::parse(&row.destination.0).map(|address| address.platform.as_str()).into(),
    } key [id] order [("x.id")]
}

section! {
    /// An attempt to send one of those messages; without an outcome it was under way.
    Attempt: "attempts" of "attempts" "WHERE x.message_id IN (SELECT m.id FROM messages m WHERE m.state IN ('queued', 'dead')
        OR (m.counted AND m.finished_at > (SELECT MAX(finished_at) FROM messages) - 3600000) OR m.id = (SELECT MAX(id) FROM messages))" {
        message: Number = BIGINT message_id,
        nonce: Text = TEXT nonce,
        started_at: Moment = BIGINT started_at,
        ended_at: Option<Moment> = BIGINT ended_at,
        outcome: Option<Text> = TEXT outcome,
        platform_id: Option<Text> = TEXT platform_id,
        detail: Option<Text> = TEXT detail,
    } key [] order [("x.message_id"), ("x.id")]
}

section! {
    /// What a place knows of a token.
    Told: "told" of "told" "JOIN destinations d ON d.id = x.destination_id" {
        destination: AddressText = PLACE destination_id,
        source: SourceText = TEXT source,
        kind: KindText = TEXT kind,
        token: Number = BIGINT token_id,
        stance: StanceText = TEXT stance,
        data_time: Moment = BIGINT data_time,
        known_at: Moment = BIGINT known_at,
        told_at: Option<Moment> = BIGINT told_at,
        unstable: LaterFlag = BOOLEAN unstable,
    } key [destination, source, kind, token] order ["d.platform", "d.chat", "d.topic", "x.source", "x.kind", ("x.token_id")]
}

section! {
    /// What a place is still to hear of a token.
    UntoldNews: "untold_news" of "token_news" "JOIN destinations d ON d.id = x.destination_id" {
        destination: AddressText = PLACE destination_id,
        source: SourceText = TEXT source,
        token: Number = BIGINT token_id,
        news: TokenNewsJson = TEXT news,
        release_at: Moment = BIGINT release_at,
    } key [destination, source, token] order ["d.platform", "d.chat", "d.topic", "x.source", ("x.token_id")]
}

section! {
    /// A button under a message, and what it does.
    Button: "buttons" of "buttons" "JOIN destinations d ON d.id = x.destination_id" {
        id: Text = TEXT id,
        destination: AddressText = PLACE destination_id,
        verb: Text = TEXT verb,
        arguments: AnyJson = TEXT arguments,
        expires_at: Moment = BIGINT expires_at,
    } key [id] order ["x.id"]
}

section! {
    /// Who changed what. What an import changed is recorded where it did, and stays there.
    AuditRecord: "audit" of "audit" "LEFT JOIN destinations d ON d.id = x.destination_id WHERE x.actor <> 'import'" {
        at: Moment = BIGINT at,
        platform: PlatformText = TEXT platform,
        actor: Text = TEXT actor,
        tenant: Option<Text> = TEXT tenant,
        destination: Option<AddressText> = PLACE destination_id,
        action: Text = TEXT action,
        before: Option<AnyJson> = TEXT before,
        after: Option<AnyJson> = TEXT after,
    } key [] order [("x.id")]
}

section! {
    /// A notice that was told.
    Notice: "notices" of "notices" "LEFT JOIN destinations d ON x.name = 'quarantine:' || CAST(d.id AS TEXT)
        WHERE d.id IS NOT NULL OR x.name NOT LIKE 'quarantine:%'" {
        name: NoticeName = NOTICE name,
        told_at: Moment = BIGINT told_at,
    } key [name] order ["name"]
}

section! {
    /// A request that was carried out.
    SeenRequest: "requests_seen" of "interactions_seen" "" {
        id: Text = TEXT id,
        seen_at: Moment = BIGINT seen_at,
    } key [id] order ["x.id"]
}

section! {
    /// An update of Telegram, stored before it was confirmed; its body as long as it is not carried out.
    Update: "updates_seen" of "updates_seen" "" {
        update: i64 = BIGINT update_id,
        received_at: Moment = BIGINT received_at,
        body: Option<UpdateBody> = TEXT body,
        state: UpdateStateText = TEXT state,
    } key [update] order [("x.update_id")]
}
