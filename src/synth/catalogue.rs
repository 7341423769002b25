//! What the simulated MSP sells, and how each system names it.

use rust_decimal::Decimal;

/// How delivery of a service is measured, with the maker's own ids. Through which system it is reported and paid for is the
/// landscape's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    /// Seats or devices under the maker's `ProductId` and `SkuId`.
    Licence { product: &'static str, sku: &'static str },
    /// A meter.
    Metered(Meter),
    /// The MSP's own work.
    None,
}

/// A meter, as its maker names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meter {
    pub(crate) sku: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) service_name: &'static str,
    pub(crate) category: &'static str,
    /// The unit as exported, and how many units of the service one of it holds.
    pub(crate) unit: &'static str,
    pub(crate) unit_factor: u32,
    /// One row a day, else one a month.
    pub(crate) daily: bool,
}

/// What a lifecycle event of this service is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    User,
    Device,
}

impl Subject {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Device => "device",
        }
    }
}

/// One line of the price list. Prices are in ten-thousandths of a dollar per unit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) vendor: Vendor,
    pub(crate) psa_id: u32,
    pub(crate) psa_sku: &'static str,
    pub(crate) stripe_product: &'static str,
    price: i64,
    cost: i64,
    pub(crate) subject: Option<Subject>,
    /// How many units a pack holds, where the service is also sold in packs.
    pub(crate) pack: Option<Pack>,
    /// A change of the vendor's list price, passed through: months after the span's first, and percent.
    pub(crate) list_change: Option<(i32, i64)>,
    /// Percent of customers that buy it.
    pub(crate) share: i64,
}

/// A pack of several units under its own article number and price.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) size: u32,
    pub(crate) psa_id: u32,
    pub(crate) psa_sku: &'static str,
    pub(crate) stripe_product: &'static str,
    pub(crate) name: &'static str,
    /// Percent of the service's customers that buy packs.
    pub(crate) share: i64,
}

impl Service {
    /// List price per unit in dollars.
    pub(crate) fn price(&self) -> Decimal {
        Decimal::new(self.price, 4)
    }

    /// What the vendor charges per unit in dollars.
    pub(crate) fn cost(&self) -> Decimal {
        Decimal::new(self.cost, 4)
    }

    /// Billed by what was used, and not by an agreed quantity.
    pub(crate) fn is_metered(&self) -> bool {
        self.meter().is_some()
    }

    pub(crate) fn meter(&self) -> Option<Meter> {
        match self.vendor {
            Vendor::Metered(meter) => Some(meter),
            Vendor::Licence { .. } | Vendor::None => None,
        }
    }

    /// Counted in seats or devices that a vendor also counts.
    pub(crate) fn is_licence(&self) -> bool {
        matches!(self.vendor, Vendor::Licence { .. })
    }

    /// Autotask's material for amounts given back on this service.
    pub(crate) fn credit_code(&self) -> u32 {
        CREDIT.0 * 1_000 + self.psa_id
    }

    /// Pax8's article number.
    pub(crate) fn pax8_sku(&self) -> String {
        format!("PAX-CLW-{}", self.psa_id)
    }
}

/// The service with this key is one of [`SERVICES`].
pub(crate) fn service(key: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.key == key)
}

/// The PSA's article for projects and hardware: number and code.
pub(crate) const PROJECT: (u32, &str) = (190, "PROJECT");

/// The PSA's article for amounts given back.
pub(crate) const CREDIT: (u32, &str) = (191, "CREDIT");

/// An article that a distributor began to charge for and nobody entered in any list.
pub(crate) static UNLISTED: Service = Service {
    key: "",
    name: "Defender for Business add-on",
    unit: "seat",
    vendor: Vendor::Licence { product: "CFQ7TTC0J0ZX", sku: "0007" },
    psa_id: 199,
    psa_sku: "",
    stripe_product: "",
    price: 50_000,
    cost: 30_000,
    subject: None,
    pack: None,
    list_change: None,
    share: 0,
};

/// The price list.
pub(crate) static SERVICES: [Service; 11] = [
    Service {
        key: "m365_bp",
        name: "Microsoft 365 Business Premium",
        unit: "seat",
        vendor: Vendor::Licence { product: "CFQ7TTC0LCHC", sku: "0002" },
        psa_id: 101,
        psa_sku: "M365-BP",
        stripe_product: "prod_M365BusinessPrem",
        price: 220_000,
        cost: 176_000,
        subject: Some(Subject::User),
        pack: None,
        list_change: Some((15, 5)),
        share: 80,
    },
    Service {
        key: "m365_e3",
        name: "Microsoft 365 E3",
        unit: "seat",
        vendor: Vendor::Licence { product: "CFQ7TTC0LFLX", sku: "0001" },
        psa_id: 102,
        psa_sku: "M365-E3",
        stripe_product: "prod_M365E3",
        price: 360_000,
        cost: 288_000,
        subject: None,
        pack: None,
        list_change: None,
        share: 25,
    },
    Service {
        key: "exo_p1",
        name: "Exchange Online Plan 1",
        unit: "mailbox",
        vendor: Vendor::Licence { product: "CFQ7TTC0LH16", sku: "0001" },
        psa_id: 103,
        psa_sku: "EXO-P1",
        stripe_product: "prod_ExchangeOnlineP1",
        price: 45_000,
        cost: 32_000,
        subject: None,
        pack: None,
        list_change: Some((9, 6)),
        share: 40,
    },
    Service {
        key: "copilot",
        name: "Microsoft 365 Copilot",
        unit: "seat",
        vendor: Vendor::Licence { product: "CFQ7TTC0MM8R", sku: "0002" },
        psa_id: 104,
        psa_sku: "M365-COPILOT",
        stripe_product: "prod_M365Copilot",
        price: 300_000,
        cost: 240_000,
        subject: None,
        pack: None,
        list_change: None,
        share: 8,
    },
    Service {
        key: "edr",
        name: "Endpoint protection",
        unit: "device",
        vendor: Vendor::Licence { product: "CFQ7TTC0LGV0", sku: "0001" },
        psa_id: 110,
        psa_sku: "EDR-DEVICE",
        stripe_product: "prod_EndpointProtection",
        price: 70_000,
        cost: 40_000,
        subject: Some(Subject::Device),
        pack: Some(Pack {
            size: 5,
            psa_id: 111,
            psa_sku: "EDR-5PACK",
            stripe_product: "prod_Endpoint5Pack",
            name: "Endpoint protection, pack of 5",
            share: 12,
        }),
        list_change: Some((22, 8)),
        share: 70,
    },
    Service {
        key: "backup_gb",
        name: "Cloud backup",
        unit: "GB",
        vendor: Vendor::Metered(Meter {
            sku: "BKP-STD-GB",
            provider: "Vaultline",
            service_name: "Vaultline Backup Storage",
            category: "Storage",
            unit: "GB",
            unit_factor: 1,
            daily: false,
        }),
        psa_id: 120,
        psa_sku: "BACKUP-GB",
        stripe_product: "prod_CloudBackup",
        price: 2_500,
        cost: 1_100,
        subject: None,
        pack: None,
        list_change: None,
        share: 50,
    },
    Service {
        key: "azure_vm",
        name: "Azure virtual machines",
        unit: "hour",
        vendor: Vendor::Metered(Meter {
            sku: "DZH318Z0BQ35/0012",
            provider: "Microsoft",
            service_name: "Virtual Machines",
            category: "Compute",
            unit: "100 Hours",
            unit_factor: 100,
            daily: true,
        }),
        psa_id: 130,
        psa_sku: "AZURE-VM",
        stripe_product: "prod_AzureVM",
        price: 1_450,
        cost: 1_160,
        subject: None,
        pack: None,
        list_change: None,
        share: 28,
    },
    Service {
        key: "aws_compute",
        name: "AWS compute",
        unit: "hour",
        vendor: Vendor::Metered(Meter {
            sku: "JRTCKXETXF6LGTPH",
            provider: "AWS",
            service_name: "Amazon Elastic Compute Cloud",
            category: "Compute",
            unit: "Hours",
            unit_factor: 1,
            daily: true,
        }),
        psa_id: 131,
        psa_sku: "AWS-COMPUTE",
        stripe_product: "prod_AWSCompute",
        price: 1_200,
        cost: 960,
        subject: None,
        pack: None,
        list_change: None,
        share: 16,
    },
    Service {
        key: "support",
        name: "Managed support",
        unit: "agreement",
        vendor: Vendor::None,
        psa_id: 140,
        psa_sku: "SUPPORT-FLAT",
        stripe_product: "prod_ManagedSupport",
        price: 4_500_000,
        cost: 0,
        subject: None,
        pack: None,
        list_change: None,
        share: 90,
    },
    Service {
        key: "support_hours",
        name: "Support hours",
        unit: "hour",
        vendor: Vendor::None,
        psa_id: 141,
        psa_sku: "SUPPORT-HOUR",
        stripe_product: "prod_SupportHours",
        price: 950_000,
        cost: 0,
        subject: None,
        pack: Some(Pack {
            size: 10,
            psa_id: 142,
            psa_sku: "SUPPORT-10H",
            stripe_product: "prod_SupportBlock10h",
            name: "Support hours, block of 10",
            share: 100,
        }),
        list_change: None,
        share: 12,
    },
    Service {
        key: "web_hosting",
        name: "Web hosting",
        unit: "site",
        vendor: Vendor::None,
        psa_id: 150,
        psa_sku: "WEB-HOSTING",
        stripe_product: "prod_WebHosting",
        price: 350_000,
        cost: 0,
        subject: None,
        pack: None,
        list_change: None,
        share: 14,
    },
];
