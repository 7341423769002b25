//! The landscape: which system of the MSP does what. The world behind it is the same in each.
//!
//! | | `connectwise` | `autotask` | `halopsa` |
//! |---|---|---|---|
//! | contracts | ConnectWise | Autotask | HaloPSA |
//! | invoices | Stripe; projects in ConnectWise | Autotask | HaloPSA |
//! | seats and devices | Partner Center (CSV, JSON Lines); Exchange: Pax8 | a distributor's CSV, mapped | Partner Center (JSON Lines) |
//! | backup storage | Pax8 | the vendor's CSV, mapped | FOCUS |
//! | Azure hours | FOCUS | FOCUS | Partner Center, daily rated usage |
//! | AWS hours | FOCUS | FOCUS | FOCUS |

use super::agreement::Terms;
use super::catalogue::{Pack, Service, Vendor};
use super::customers::Customer;
use super::pair::Pair;
use rust_decimal::Decimal;
use std::fmt;
use std::str::FromStr;

/// A simulated MSP, named after its PSA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Msp {
    /// ConnectWise, Partner Center, Pax8, FOCUS, Stripe.
    #[default]
    ConnectWise,
    /// Autotask with its own billing, FOCUS, two vendors' CSV files with mapping files.
    Autotask,
    /// HaloPSA with its own invoices, Partner Center as JSON Lines, FOCUS.
    HaloPsa,
}

impl Msp {
    /// Every landscape.
    pub const ALL: [Self; 3] = [Self::ConnectWise, Self::Autotask, Self::HaloPsa];

    /// The name on the command line, which is also the PSA's name in every `system` column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectWise => "connectwise",
            Self::Autotask => "autotask",
            Self::HaloPsa => "halopsa",
        }
    }

    /// The system whose export reports what was delivered of `service`; none for the MSP's own work.
    pub(crate) fn feed(self, service: &Service) -> Option<Feed> {
        let feed = match (self, service.vendor, service.key) {
            (_, Vendor::None, _) => return None,
            (Self::ConnectWise, _, "exo_p1" | "backup_gb") => Feed::Pax8,
            (Self::Autotask, _, "backup_gb") => Feed::BackupVendor,
            (Self::Autotask, Vendor::Licence { .. }, _) => Feed::Distributor,
            (Self::HaloPsa, _, "azure_vm") => Feed::RatedUsage,
            (_, Vendor::Licence { .. }, _) => Feed::PartnerCenter,
            (_, Vendor::Metered(_), _) => Feed::Focus,
        };
        Some(feed)
    }

    /// Terms that are written beside the PSA because it has no place for them. Only ConnectWise knows free units of a line.
    pub(crate) fn written_terms(self, pair: &Pair) -> Option<Terms> {
        let is_free = pair.included > Decimal::ZERO && !pair.service.is_metered() && !pair.do_not_bill;
        let is_unknown = self != Self::ConnectWise && is_free;
        pair.terms.or(is_unknown.then_some(Terms::PerUnit))
    }

    /// The system that recurring services are invoiced from.
    pub(crate) fn biller(self) -> Biller {
        match self {
            Self::ConnectWise => Biller::Stripe,
            Self::Autotask | Self::HaloPsa => Biller::Psa,
        }
    }

    /// How the PSA names an article.
    pub(crate) fn psa_sku(self, article: Article) -> String {
        match (self, article) {
            (Self::ConnectWise | Self::HaloPsa, Article::Service(service)) => service.psa_sku.to_owned(),
            (Self::ConnectWise | Self::HaloPsa, Article::Pack(pack)) => pack.psa_sku.to_owned(),
            (Self::ConnectWise | Self::HaloPsa, Article::Single((_, code))) => code.to_owned(),
            (Self::Autotask, Article::Service(service)) => service.psa_id.to_string(),
            (Self::Autotask, Article::Pack(pack)) => format!("bundle:{}", pack.psa_id),
            (Self::Autotask, Article::Single((number, _))) => format!("material:{number}"),
        }
    }
}

impl fmt::Display for Msp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Msp {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|msp| msp.name() == name);
        known.ok_or_else(|| format!("`{name}` is no simulated MSP; there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Something that a PSA has a number or code for.
#[derive(Clone, Copy)]
pub(crate) enum Article {
    Service(&'static Service),
    Pack(&'static Pack),
    /// Sold or given back once: number and code.
    Single((u32, &'static str)),
}

/// Where recurring services are invoiced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Biller {
    Stripe,
    Psa,
}

/// An export that reports deliveries and what they cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Monthly reconciliation of licences.
    PartnerCenter,
    /// Partner Center's daily rated usage.
    RatedUsage,
    Pax8,
    Focus,
    /// A distributor's list of subscriptions.
    Distributor,
    /// A backup vendor's monthly statement.
    BackupVendor,
}

/// What a system calls a thing, and how many units of the service one of it holds.
pub(crate) struct NativeName {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) factor: u32,
}

fn named(id: impl Into<String>, name: &str, factor: u32) -> NativeName {
    NativeName { id: id.into(), name: name.to_owned(), factor }
}

impl Feed {
    /// Every feed.
    pub(crate) const ALL: [Self; 6] =
        [Self::PartnerCenter, Self::RatedUsage, Self::Pax8, Self::Focus, Self::Distributor, Self::BackupVendor];

    /// The name in `system` columns. For mapped files it is the simulated MSP's own choice.
    pub(crate) fn system(self) -> &'static str {
        match self {
            Self::PartnerCenter | Self::RatedUsage => "microsoft_csp",
            Self::Pax8 => "pax8",
            Self::Focus => "focus",
            Self::Distributor => "northbridge",
            Self::BackupVendor => "vaultline",
        }
    }

    /// The customer's ids in this system.
    pub(crate) fn customer_ids(self, customer: &Customer) -> Vec<NativeName> {
        let tenants = || customer.tenants.iter().map(|tenant| named(&tenant.id, &tenant.domain, 1)).collect();
        match self {
            Self::PartnerCenter | Self::RatedUsage | Self::Distributor => tenants(),
            Self::Pax8 => vec![named(&customer.pax8_company, &customer.name, 1)],
            Self::Focus => vec![named(&customer.focus_account, &customer.name, 1)],
            Self::BackupVendor => vec![named(customer.vault_account(), &customer.name, 1)],
        }
    }

    /// The service's ids in this system.
    pub(crate) fn skus(self, service: &Service) -> Vec<NativeName> {
        match (self, service.vendor) {
            (Self::Pax8, _) => vec![named(service.pax8_sku(), service.name, 1)],
            (Self::Distributor, Vendor::Licence { product, sku }) => vec![named(stock_code(product, sku), service.name, 1)],
            (_, Vendor::Licence { product, sku }) => vec![named(format!("{product}:{sku}"), service.name, 1)],
            (Self::RatedUsage, Vendor::Metered(meter)) => {
                vec![named(meter.sku.replace('/', ":"), meter.service_name, meter.unit_factor)]
            }
            (Self::BackupVendor, Vendor::Metered(meter)) => vec![named(meter.sku, meter.service_name, meter.unit_factor)],
            (_, Vendor::Metered(meter)) => vec![
                named(meter.sku, meter.service_name, meter.unit_factor),
                // Tax rows name the service and no SKU.
                named(meter.service_name, meter.service_name, meter.unit_factor),
            ],
            (_, Vendor::None) => Vec::new(),
        }
    }
}

/// The distributor's article number holds term, manufacturer's ids and billing.
pub(crate) fn stock_code(product: &str, sku: &str) -> String {
    format!("P1Y:{product}:{sku}:1:M")
}
