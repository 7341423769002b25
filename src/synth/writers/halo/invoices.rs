//! Invoices with lines, credit notes, drafts that nobody posted, and the pro-rata rows behind changes within a period.
//!
//! Lines name their last day. Now and then an invoice was voided and issued again: the voided one stays in the list, with its
//! lines. Changes that the recurring invoice knows and no invoice charged stay pro-rata rows that are not invoiced.

use super::{Entity, NO_DATE, contract_id, date, double, line_id, put_amount, recurring_invoice_id, save};
use crate::month::Month;
use crate::synth::calendar::Span;
use crate::synth::catalogue::PROJECT;
use crate::synth::customers::Customer;
use crate::synth::error::SynthError;
use crate::synth::invoices::{Line, LineKind, forgotten, invoices, netted};
use crate::synth::landscape::Biller;
use crate::synth::output::Output;
use crate::synth::pair::Volume;
use crate::synth::world::World;
use crate::synth::writers::json::number;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

static INVOICES: Entity = Entity { kind: "halopsa_invoices", file: "invoices", list: "invoices" };
static PRORATA: Entity = Entity { kind: "halopsa_prorata", file: "prorata", list: "invoicedetailproratas" };

pub(super) fn write(world: &World, output: &mut Output) -> Result<(), SynthError> {
    let mut ledger = Ledger { world, invoices: Vec::new(), prorata: Vec::new(), n_lines: 0 };
    for invoice in invoices(world, Biller::Psa) {
        let lines = netted(invoice.lines);
        // Now and then somebody voids an invoice and issues it again.
        if ledger.invoices.len() % 89 == 37 {
            ledger.invoice(invoice.customer, invoice.date, &lines, State::Voided);
        }
        let id = ledger.invoice(invoice.customer, invoice.date, &lines, State::Posted);
        for line in &lines {
            ledger.charged(line, invoice.date, id);
            ledger.credited(invoice.customer, line, id);
        }
    }
    ledger.never_charged();
    ledger.never_posted();
    ledger.save(output)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Posted,
    Voided,
    Draft,
    /// A credit note on the invoice with this id.
    Credit(usize),
}

/// Records with the day on which they came to be.
struct Ledger<'a> {
    world: &'a World,
    invoices: Vec<(NaiveDate, Value)>,
    prorata: Vec<(NaiveDate, Value)>,
    n_lines: usize,
}

impl Ledger<'_> {
    fn invoice(&mut self, customer: usize, day: NaiveDate, lines: &[Line], state: State) -> usize {
        let customer = &self.world.customers[customer];
        let id = 50_000 + self.invoices.len();
        let rate = self.world.dollars_per_unit(customer.currency, Month::of(day));
        let total: Decimal = lines.iter().map(|line| line.amount).sum();
        let recurs = lines.iter().any(|line| line.kind != LineKind::Manual);
        let from = lines.iter().map(|line| line.period.from).min().unwrap_or(day);
        let until = lines.iter().map(|line| line.period.until).max().unwrap_or(day);
        let (credited, is_credit) = match state {
            State::Credit(invoice) => (invoice, true),
            State::Posted | State::Voided | State::Draft => (0, false),
        };
        let is_posted = state != State::Draft;
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("id", id.into());
        put("invoicenumber", if is_posted { format!("INV-{id}").into() } else { "".into() });
        put("thirdpartyinvoicenumber", "".into());
        put("client_id", double(customer.company_id));
        put("client_name", customer.name.as_str().into());
        put("site_id", double(customer.company_id + 20_000));
        put("invoice_date", date(day).into());
        put("duedate", date(day + chrono::Days::new(30)).into());
        put("dateposted", if is_posted { date(day).into() } else { NO_DATE.into() });
        put("posted", is_posted.into());
        put("voided", (state == State::Voided).into());
        put("invoicetype", i32::from(is_credit).into());
        put("period_start_date", date(from).into());
        put("period_end_date", date(last_day(Span { from, until })).into());
        put("currency_code_name", customer.currency.code().into());
        put("currency_conversion_rate", number(rate));
        put("total", number(total));
        put("tax_total", 0.into());
        put("amountdue", number(total));
        put("amountpaid", 0.into());
        put("recurring_invoice_id", if recurs && !is_credit { recurring_invoice_id(customer) } else { 0 }.into());
        put("contract_id", contract_id(customer).into());
        put("creditlinkedtoinvoiceid", credited.into());
        put("qboid", 0.into());
        let lines: Vec<Value> = lines.iter().map(|line| self.line(id, customer, line, rate)).collect();
        fields.insert("lines".to_owned(), lines.into());
        self.invoices.push((day, Value::Object(fields)));
        id
    }

    fn line(&mut self, invoice: usize, customer: &Customer, line: &Line, rate: Decimal) -> Value {
        self.n_lines += 1;
        let pair = line.pair.map(|index| (index, &self.world.pairs[index]));
        let (item, code) = pair.map_or(PROJECT, |(_, pair)| {
            pair.pack.map_or((pair.service.psa_id, pair.service.psa_sku), |pack| (pack.psa_id, pack.psa_sku))
        });
        let recurs = line.kind != LineKind::Manual;
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("id", (900_000 + self.n_lines).into());
        put("ihid", invoice.into());
        put("item_code", code.into());
        put("item_shortdescription", line.description.as_str().into());
        put("_itemid", item.into());
        put("qty_order", number(line.quantity.normalize()));
        put("tax_amount", 0.into());
        put("discount_perc", 0.into());
        put("startdate", date(line.period.from).into());
        put("enddate", date(last_day(line.period)).into());
        put("onetimecharge", (!recurs).into());
        put("is_meter", (line.kind == LineKind::Usage).into());
        put("contract_id", contract_id(customer).into());
        let agreed = pair.filter(|_| recurs).map_or(0, |(index, pair)| line_id(index, pair.line_number_on(line.period.from)));
        put("recurring_invoice_line_id", agreed.into());
        put_amount(&mut fields, "unit_price", line.unit_price, rate);
        put_amount(&mut fields, "net_amount", line.amount, rate);
        Value::Object(fields)
    }

    /// The row behind a change that this invoice charges.
    fn charged(&mut self, line: &Line, day: NaiveDate, invoice: usize) {
        let Some(index) = line.pair.filter(|_| line.kind == LineKind::Proration) else { return };
        let price = line.amount.checked_div(line.quantity).unwrap_or(line.amount).round_dp(4);
        self.prorata_row(index, line.period.from, day, line.quantity, price, Some(invoice));
    }

    /// Units that the recurring invoice took on and no invoice charged for the rest of their period.
    fn never_charged(&mut self) {
        for (index, pair) in self.world.pairs.iter().enumerate() {
            let Volume::Level { contracted, billed, .. } = &pair.volume else { continue };
            let billing = self.world.customer_of(pair).billing;
            let span = self.world.span();
            for day in contracted.changes().filter(|day| *day > pair.since && span.from <= *day && *day < span.until) {
                let period = billing.period_of(day);
                let before = day.pred_opt().unwrap_or(day);
                let change = contracted.at(day) - contracted.at(before);
                if day > period.from && change > Decimal::ZERO && billed.at(day) == billed.at(before) && !pair.do_not_bill {
                    let share = Decimal::from((period.until - day).num_days()) / Decimal::from(period.n_days());
                    let price = (pair.contract_price.at(day) * pair.pack_size() * share).round_dp(4);
                    self.prorata_row(index, day, day, change / pair.pack_size(), price, None);
                }
            }
        }
    }

    fn prorata_row(
        &mut self,
        index: usize,
        changed: NaiveDate,
        saved: NaiveDate,
        quantity: Decimal,
        price: Decimal,
        invoice: Option<usize>,
    ) {
        let pair = &self.world.pairs[index];
        let customer = self.world.customer_of(pair);
        let record = json!({
            "id": 300_000 + self.prorata.len(),
            "invoicedetailid": line_id(index, pair.line_number_on(changed)),
            "recurring_invoice_id": recurring_invoice_id(customer),
            "client_id": double(customer.company_id),
            "item_code": pair.pack.map_or(pair.service.psa_sku, |pack| pack.psa_sku),
            "date": date(changed),
            "quantity": number(quantity.normalize()),
            "unitprice": number(price.normalize()),
            "unitcost": 0,
            "currency_code_name": customer.currency.code(),
            "user_id": 0,
            "device_id": 0,
            "isinvoiced": invoice.is_some(),
            "isfuturepr": false,
            "invoiceheaderid": invoice.unwrap_or(0),
        });
        self.prorata.push((saved, record));
    }

    /// A credit note, where part of a line was given back.
    fn credited(&mut self, customer: usize, line: &Line, invoice: usize) {
        let Some(given_back) = self.world.given_back(line) else { return };
        let amount = -given_back;
        let note = Line {
            pair: line.pair,
            kind: LineKind::Manual,
            description: format!("Service credit: {}", line.description),
            quantity: Decimal::ONE,
            unit_price: amount,
            amount,
            period: line.period,
        };
        let day = line.period.until.min(self.world.exported_on());
        self.invoice(customer, day, &[note], State::Credit(invoice));
    }

    /// Invoices that were prepared like all others and stayed drafts.
    fn never_posted(&mut self) {
        for (index, pair) in self.world.pairs.iter().enumerate() {
            for line in forgotten(self.world, index) {
                let day = line.period.from;
                self.invoice(pair.customer, day, &[line], State::Draft);
            }
        }
    }

    fn save(self, output: &mut Output) -> Result<(), SynthError> {
        let (first, exported_on) = (self.world.first_month, self.world.exported_on());
        for (entity, records) in [(&INVOICES, self.invoices), (&PRORATA, self.prorata)] {
            for month in self.world.months().chain([self.world.last_month().plus(1)]) {
                let day = month.plus(1).first_day().min(exported_on);
                // What is older than the first export is in it.
                let due = records.iter().filter(|(made, _)| Month::of(*made).max(first) == month && *made <= day);
                let due: Vec<Value> = due.map(|(_, record)| record.clone()).collect();
                if !due.is_empty() {
                    save(output, entity, day, due)?;
                }
            }
        }
        Ok(())
    }
}

/// The last day of a period; of an empty one, its only.
fn last_day(period: Span) -> NaiveDate {
    period.last_day().max(period.from)
}
