//! The tokens of the simulated market.

use crate::domain::TokenId;

/// One token as the simulated API lists it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listing {
    /// `TOKEN_ID`; Bitcoin, Ethereum, Solana and XRP have their real ones.
    pub id: TokenId,
    /// `TOKEN_SYMBOL`; `BTC` stands twice, as in the real directory.
    pub symbol: &'static str,
    /// `TOKEN_NAME`.
    pub name: &'static str,
    /// `tm_link`.
    pub slug: &'static str,
    /// Its place by market cap; a bridged variant has none.
    pub rank: Option<u32>,
    /// The price that it wanders around, in US dollars.
    pub(super) price: f64,
    /// How far it typically moves in an hour, as a ratio.
    pub(super) volatility: f64,
}

impl Listing {
    /// Its page in the app, as the directory's `TM_LINK` names it.
    pub fn link(&self) -> String {
        format!("https://app.tokenmetrics.com/en/{}", self.slug)
    }
}

const fn listed(rank: u32, id: i64, symbol: &'static str, name: &'static str, slug: &'static str, price: f64, volatility: f64) -> Listing {
    Listing { id: TokenId(id), symbol, name, slug, rank: Some(rank), price, volatility }
}

/// All of them, in order of rank.
pub(super) const LISTINGS: &[Listing] = &[
    listed(1, 3375, "BTC", "Bitcoin", "bitcoin", 96_800.0, 0.0045),
    listed(2, 3306, "ETH", "Ethereum", "ethereum", 3_420.0, 0.006),
    listed(3, 3369, "XRP", "XRP", "xrp", 2.31, 0.008),
    listed(4, 3401, "BNB", "BNB", "bnb", 905.0, 0.0055),
    listed(5, 3988, "SOL", "Solana", "solana", 187.0, 0.008),
    listed(6, 3410, "TRX", "TRON", "tron", 0.281, 0.005),
    listed(7, 3417, "DOGE", "Dogecoin", "dogecoin", 0.166, 0.009),
    listed(8, 3422, "ADA", "Cardano", "cardano", 0.472, 0.0085),
    listed(9, 4102, "HYPE", "Hyperliquid", "hyperliquid", 36.4, 0.011),
    listed(10, 3431, "LINK", "Chainlink", "chainlink", 14.1, 0.009),
    listed(11, 3438, "BCH", "Bitcoin Cash", "bitcoin-cash", 512.0, 0.008),
    listed(12, 3444, "XLM", "Stellar", "stellar", 0.254, 0.0085),
    listed(13, 3451, "LTC", "Litecoin", "litecoin", 91.6, 0.0075),
    listed(14, 4017, "AVAX", "Avalanche", "avalanche", 16.2, 0.0095),
    listed(15, 4033, "SUI", "Sui", "sui", 1.72, 0.0105),
    listed(16, 3977, "HBAR", "Hedera", "hedera", 0.148, 0.009),
    listed(17, 3460, "XMR", "Monero", "monero", 348.0, 0.0065),
    listed(18, 3993, "DOT", "Polkadot", "polkadot", 2.64, 0.009),
    listed(19, 4051, "TON", "Toncoin", "toncoin", 1.83, 0.008),
    listed(20, 4009, "UNI", "Uniswap", "uniswap", 6.35, 0.01),
    listed(21, 4012, "NEAR", "NEAR Protocol", "near-protocol", 2.22, 0.0105),
    listed(22, 3996, "ATOM", "Cosmos", "cosmos", 2.71, 0.009),
    listed(23, 4004, "AAVE", "Aave", "aave", 172.0, 0.0095),
    listed(24, 4060, "ARB", "Arbitrum", "arbitrum", 0.231, 0.0105),
    Listing {
        id: TokenId(45_011),
        symbol: "BTC",
        name: "Osmosis allBTC",
        slug: "osmosis-allbtc",
        rank: None,
        price: 96_700.0,
        volatility: 0.0045,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_and_slugs_are_unique_and_ranks_count_from_one() {
        let ids: BTreeSet<_> = LISTINGS.iter().map(|listing| listing.id).collect();
        let slugs: BTreeSet<_> = LISTINGS.iter().map(|listing| listing.slug).collect();
        assert_eq!((ids.len(), slugs.len()), (LISTINGS.len(), LISTINGS.len()));
        let ranks: Vec<_> = LISTINGS.iter().filter_map(|listing| listing.rank).collect();
        assert_eq!(ranks, (1..=24).collect::<Vec<_>>());
    }
}
